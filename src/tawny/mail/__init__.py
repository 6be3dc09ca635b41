"""Mails, and where they go: to a mail server, or, without one, into a folder."""

from tawny.mail.mail import Mail
from tawny.mail.mailer import Mailer

__all__ = ["Mail", "Mailer"]
