"""Secrets at rest: AES-256-GCM under a ring of keys, of which the first encrypts and all decrypt."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tawny.access.secret import read_private, write_once
from tawny.errors import Conflict, SettingsError

if TYPE_CHECKING:
    from pydantic import SecretStr

KEY_BYTES: Final = 32
FILE: Final = "encryption_keys"

_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"


class CannotDecrypt(Conflict):
    """A stored secret was encrypted with a key that is not on the ring, for another place, or is damaged.

    To try again does not help, so it is no Unavailable: the operator sets the key again, or the secret is entered anew.
    """

    default_code = "cannot_decrypt"


class Keyring:
    """Encrypts texts for one place each (its associated data): in any other place they cannot be decrypted."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """At least one key, each of 32 bytes: ValueError."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"an encryption key has {KEY_BYTES} bytes")
        # Imported with the first ring: a worker may never need one, and would wait for it at every start.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._first = key_id(keys[0])

    def encrypt(self, text: str, place: str) -> str:
        """Return `v1.<key id>.<base64 of nonce and ciphertext>`, another one each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self._first].encrypt(nonce, text.encode(), place.encode())
        return f"{_VERSION}.{self._first}.{base64.b64encode(sealed).decode()}"

    def decrypt(self, sealed: str, place: str) -> str:
        """Return the text; CannotDecrypt when it was sealed for another place, with a key that is not here, or is damaged."""
        from cryptography.exceptions import InvalidTag

        try:
            version, name, body = sealed.split(".")
            raw = base64.b64decode(body, validate=True)
            if version != _VERSION:
                raise CannotDecrypt("A stored secret has a format that this version of Tawny does not know.")
            return self._ciphers[name].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
        except KeyError:
            raise CannotDecrypt(
                "A stored secret was encrypted with a key that is not set any more; the operator can set that key again, or "
                "delete the integration and connect it anew, or make the webhook anew."
            ) from None
        except (ValueError, InvalidTag):
            raise CannotDecrypt(
                "A stored secret is damaged or belongs elsewhere; delete the integration and connect it anew, or make the "
                "webhook anew."
            ) from None

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of all keys; the first is that of the one that encrypts."""
        return tuple(self._ciphers)

    def is_current(self, sealed: str) -> bool:
        """Whether this was encrypted with the first key."""
        return sealed.startswith(f"{_VERSION}.{self._first}.")


def key_id(key: bytes) -> str:
    """A short name of a key, which says nothing about it."""
    return hashlib.sha256(b"tawny:key:" + key).hexdigest()[:8]


def load_or_make_keyring(data_dir: Path, configured: SecretStr | None) -> Keyring:
    """Return the ring of the configured keys, or else of those in the file `encryption_keys` of the state folder, one a line.

    The file is made when there is none; processes that start at once get the same. SettingsError for a key that is none, or a
    file that every user of this machine can read.
    """
    path = data_dir / FILE
    if configured is None and not path.exists():
        write_once(path, base64.b64encode(os.urandom(KEY_BYTES)).decode())
    return load_keyring(data_dir, configured) or _of_file(path)


def load_keyring(data_dir: Path, configured: SecretStr | None) -> Keyring | None:
    """Return the same ring without making anything: None when no key is set and there is no file yet."""
    if configured is not None:
        return _ring(configured.get_secret_value().split(","), "TAWNY_ENCRYPTION_KEYS")
    path = data_dir / FILE
    return _of_file(path) if path.exists() else None


def _of_file(path: Path) -> Keyring:
    return _ring(read_private(path).decode("ascii", "replace").split(), str(path))


def _ring(texts: Iterable[str], where: str) -> Keyring:
    try:
        return Keyring([base64.b64decode(text.strip(), validate=True) for text in texts])
    except ValueError:
        raise SettingsError(
            f"{where} should hold keys of {KEY_BYTES} bytes in base64: make one with `openssl rand -base64 {KEY_BYTES}`."
        ) from None
