"""Who hears of runs: mails to those who asked, posts to the webhooks of teams, from an outbox that loses nothing."""

from tawny.notifications.by_mail import ByMail
from tawny.notifications.courier import Courier
from tawny.notifications.events import RUN_EVENTS, RunEvent
from tawny.notifications.forget import forget_deliveries
from tawny.notifications.letter import Desk
from tawny.notifications.preferences import find_preferences, set_preferences

__all__ = ["RUN_EVENTS", "ByMail", "Courier", "Desk", "RunEvent", "find_preferences", "forget_deliveries", "set_preferences"]
