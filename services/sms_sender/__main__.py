"""`python -m services.sms_sender`"""

from services.sms_sender.app import main

main()
