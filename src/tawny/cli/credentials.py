"""Whether the encryption keys are those that what is stored was encrypted with."""

from __future__ import annotations

from tawny import integrations, notifications
from tawny.access import Actor
from tawny.cli import database
from tawny.integrations import Keyring


async def missing_keys(url: str, keyring: Keyring | None) -> list[str]:
    """A sentence for each key that is needed to read stored credentials, and that is not on the ring."""
    async with database.connection(url) as conn:
        connected = await integrations.count_unreadable(conn, Actor.host(), keyring)
        posted_to = await notifications.count_unreadable(conn, Actor.host(), keyring)
    return [_sentence(count, "integration", key_id) for key_id, count in connected.items()] + [
        _sentence(count, "webhook", key_id) for key_id, count in posted_to.items()
    ]


def _sentence(count: int, what: str, key_id: str) -> str:
    return (
        f"the credentials of {count} {what}{'' if count == 1 else 's'} need the key {key_id}, which is not among the "
        "encryption keys: set it again, or connect them anew"
    )
