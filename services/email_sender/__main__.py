"""`python -m services.email_sender`"""

from services.email_sender.app import main

main()
