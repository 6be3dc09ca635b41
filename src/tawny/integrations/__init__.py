"""What a project is connected to: credentials of other services, encrypted at rest, and how these services are called."""

from tawny.access.keyring import CannotDecrypt, Keyring, load_keyring, load_or_make_keyring
from tawny.integrations.at_once import in_order, to_the_end, unless_cancelled
from tawny.integrations.pace import Pace, within
from tawny.integrations.providers import PROVIDERS, ConfigField, Provider
from tawny.integrations.service import CallFailed, Manners, Missing, Refused, Rejected, Service, Unanswered, Unusable
from tawny.integrations.store import (
    Integration,
    Saved,
    connect,
    copy,
    count_unreadable,
    disconnect,
    forget_events,
    list_integrations,
    reencrypt,
    update,
    webhook_secret,
)

__all__ = [
    "PROVIDERS",
    "CallFailed",
    "CannotDecrypt",
    "ConfigField",
    "Integration",
    "Keyring",
    "Manners",
    "Missing",
    "Pace",
    "Provider",
    "Refused",
    "Rejected",
    "Saved",
    "Service",
    "Unanswered",
    "Unusable",
    "connect",
    "copy",
    "count_unreadable",
    "disconnect",
    "forget_events",
    "in_order",
    "list_integrations",
    "load_keyring",
    "load_or_make_keyring",
    "reencrypt",
    "to_the_end",
    "unless_cancelled",
    "update",
    "webhook_secret",
    "within",
]
