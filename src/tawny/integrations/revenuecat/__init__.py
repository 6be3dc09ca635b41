"""RevenueCat: who subscribes to a project's app, synced from RevenueCat's API (version 2)."""

from tawny.integrations.revenuecat.ask import (
    Asked,
    Connected,
    ask_for_one,
    ask_for_sync,
    check_app_user_id,
    find_connected,
    keep,
    marks_of,
    try_key,
)
from tawny.integrations.revenuecat.connection import NOT_CONNECTED, RevenueCat
from tawny.integrations.revenuecat.find import Page, Which, as_csv, list_subscribers
from tawny.integrations.revenuecat.job import SYNC, sync_job
from tawny.integrations.revenuecat.webhook import Event, Shown, check_caller, read_event, receive, receiver

__all__ = [
    "NOT_CONNECTED",
    "SYNC",
    "Asked",
    "Connected",
    "Event",
    "Page",
    "RevenueCat",
    "Shown",
    "Which",
    "as_csv",
    "ask_for_one",
    "ask_for_sync",
    "check_app_user_id",
    "check_caller",
    "find_connected",
    "keep",
    "list_subscribers",
    "marks_of",
    "read_event",
    "receive",
    "receiver",
    "sync_job",
    "try_key",
]
