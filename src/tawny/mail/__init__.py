"""Mails, and where they go: to a mail server, or, without one, into a folder."""

from tawny.mail.mail import Mail
from tawny.mail.mailer import Channel, Mailer, channel_of

__all__ = ["Channel", "Mail", "Mailer", "channel_of"]
