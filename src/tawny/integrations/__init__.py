"""What a project is connected to: credentials of other services, encrypted at rest."""

from tawny.access.keyring import CannotDecrypt, Keyring, load_keyring, load_or_make_keyring
from tawny.integrations.providers import PROVIDERS, ConfigField, Provider
from tawny.integrations.store import (
    Integration,
    Saved,
    connect,
    copy,
    count_unreadable,
    disconnect,
    list_integrations,
    reencrypt,
    update,
    webhook_secret,
)

__all__ = [
    "PROVIDERS",
    "CannotDecrypt",
    "ConfigField",
    "Integration",
    "Keyring",
    "Provider",
    "Saved",
    "connect",
    "copy",
    "count_unreadable",
    "disconnect",
    "list_integrations",
    "load_keyring",
    "load_or_make_keyring",
    "reencrypt",
    "update",
    "webhook_secret",
]
