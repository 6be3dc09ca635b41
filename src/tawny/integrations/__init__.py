"""What a project is connected to: credentials of other services, encrypted at rest."""

from tawny.integrations.keyring import Keyring, load_or_make_keyring
from tawny.integrations.providers import PROVIDERS, ConfigField, Provider
from tawny.integrations.store import (
    Integration,
    Saved,
    connect,
    copy,
    disconnect,
    list_integrations,
    reencrypt,
    update,
    webhook_secret,
)

__all__ = [
    "PROVIDERS",
    "ConfigField",
    "Integration",
    "Keyring",
    "Provider",
    "Saved",
    "connect",
    "copy",
    "disconnect",
    "list_integrations",
    "load_or_make_keyring",
    "reencrypt",
    "update",
    "webhook_secret",
]
