"""A mail server that keeps every mail, shows it on a page, and misbehaves when the recipient's address asks for it."""

from deploy.local.catcher.catcher import Catcher
from deploy.local.catcher.mail import Mail, Try
from deploy.local.catcher.mailbox import Mailbox

__all__ = ["Catcher", "Mail", "Mailbox", "Try"]
