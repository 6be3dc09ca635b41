"""Who hears of runs: mails to those who asked, posts to the webhooks of teams, from an outbox that loses nothing."""

from tawny.notifications.by_mail import ByMail
from tawny.notifications.by_webhook import ByWebhook
from tawny.notifications.courier import Courier
from tawny.notifications.deliveries import (
    Posted,
    PostedInFull,
    PostedPage,
    count_against_webhook,
    find_delivery,
    list_deliveries,
    redeliver,
    send_test,
)
from tawny.notifications.events import RUN_EVENTS, RunEvent
from tawny.notifications.forget import forget_deliveries
from tawny.notifications.letter import Desk
from tawny.notifications.measures import Brought, Posting, Refusal, Waiting, last_refusals, measure
from tawny.notifications.preferences import find_preferences, set_preferences
from tawny.notifications.target import Target, check_target
from tawny.notifications.webhooks import (
    FORMATS,
    OVERLAP_HOURS,
    OVERLAP_MOST,
    Format,
    NewWebhook,
    TeamWebhook,
    count_unreadable,
    create_webhook,
    delete_webhook,
    find_webhook,
    list_webhooks,
    reencrypt,
    rotate_secret,
    update_webhook,
)

__all__ = [
    "FORMATS",
    "OVERLAP_HOURS",
    "OVERLAP_MOST",
    "RUN_EVENTS",
    "Brought",
    "ByMail",
    "ByWebhook",
    "Courier",
    "Desk",
    "Format",
    "NewWebhook",
    "Posted",
    "PostedInFull",
    "PostedPage",
    "Posting",
    "Refusal",
    "RunEvent",
    "Target",
    "TeamWebhook",
    "Waiting",
    "check_target",
    "count_against_webhook",
    "count_unreadable",
    "create_webhook",
    "delete_webhook",
    "find_delivery",
    "find_preferences",
    "find_webhook",
    "forget_deliveries",
    "last_refusals",
    "list_deliveries",
    "list_webhooks",
    "measure",
    "redeliver",
    "reencrypt",
    "rotate_secret",
    "send_test",
    "set_preferences",
    "update_webhook",
]
