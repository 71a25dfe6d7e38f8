"""A mail server that keeps every mail for reading in the browser and sends none on."""

from .app import create_app
from .box import Mail, Mailbox
from .smtp import MailServer

__all__ = ["Mail", "MailServer", "Mailbox", "create_app"]
