"""Deliver by webhook: one signed POST to one address that was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tawny import __version__
from tawny.access.keyring import Keyring
from tawny.errors import Conflict, InvalidRequest, SettingsError
from tawny.notifications import words
from tawny.notifications.body import body, now
from tawny.notifications.delivery import Delivery, Outcome, Webhook, not_begun
from tawny.notifications.letter import Desk
from tawny.notifications.sign import signature
from tawny.notifications.target import Lookup, Target, addresses_of, read_url

if TYPE_CHECKING:
    import httpx

SECONDS: Final = 10.0
"""How long one try may take in all."""

ANSWER_BYTES: Final = 65_536
"""How much of an answer is read."""

_KEPT: Final = 1_000
_REQUEST_KEPT: Final = 10_000
_ADDRESSES: Final = 3
_CONNECT_SECONDS: Final = 4.0


class ByWebhook:
    """Posts to the webhooks of teams. Used from one loop."""

    at_once = 16

    def __init__(
        self, keyring: Callable[[], Keyring | None], desk: Desk, *, private: bool = False, ask: Lookup | None = None
    ) -> None:
        """`keyring` is called when the first secret is wanted. `private`: see `read_url`."""
        self._load = keyring
        self._keyring: Keyring | None = None
        self._desk = desk
        self._private = private
        self._ask = ask
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, delivery: Delivery) -> Outcome:
        """Post it, and say what became of that."""
        begun, webhook = monotonic(), delivery.webhook
        if webhook is None or not webhook.open:
            return not_begun("the webhook is disabled or deleted")
        sent = body(delivery, self._desk)
        try:
            async with asyncio.timeout(SECONDS):
                outcome = await self._post(delivery, webhook, sent)
        except TimeoutError:
            outcome = _not_taken(f"no answer within {SECONDS:g} seconds", unsure=True)
        except (InvalidRequest, Conflict, SettingsError) as error:
            outcome = _not_taken(str(error))
        return replace(outcome, seconds=monotonic() - begun, request=sent.decode()[:_REQUEST_KEPT])

    async def _post(self, delivery: Delivery, webhook: Webhook, sent: bytes) -> Outcome:
        secrets = self._opened(webhook)
        target = read_url(secrets["url"], private=self._private)
        headers = _headers(delivery, [secrets[name] for name in ("secret", "old_secret") if name in secrets], target, sent)
        addresses = await addresses_of(target, private=self._private, ask=self._ask)
        for address in addresses[:_ADDRESSES]:
            outcome = await self._post_to(target, address, headers, sent)
            if outcome is not None:
                return outcome
        return _not_taken("no connection could be made")

    def _opened(self, webhook: Webhook) -> dict[str, str]:
        if self._keyring is None:
            self._keyring = self._load()
        if self._keyring is None:
            raise SettingsError("this worker has no encryption keys: give it the TAWNY_ENCRYPTION_KEYS of the server")
        return {name: self._keyring.decrypt(sealed, place_of(webhook.id, name)) for name, sealed in webhook.secrets.items()}

    async def _post_to(self, target: Target, address: str, headers: Mapping[str, str], sent: bytes) -> Outcome | None:
        """Post to this very address, whatever the name leads to by now. None when no connection could be made."""
        import httpx

        try:
            request = self._http().build_request(
                "POST", target.at(address), headers=headers, content=sent, extensions={"sni_hostname": target.host}
            )
            response = await self._http().send(request, stream=True)
            try:
                return await _read(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _not_taken(type(error).__name__, unsure=True)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                follow_redirects=False,
                trust_env=False,  # no proxy and no password out of this machine's environment
                verify=httpx.create_ssl_context(),  # which looks at SSL_CERT_FILE
                timeout=httpx.Timeout(SECONDS, connect=_CONNECT_SECONDS),
                # A connection is for one name, and a second name may lead to the same address.
                limits=httpx.Limits(max_connections=self.at_once, max_keepalive_connections=0),
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def place_of(webhook_id: UUID, name: str) -> str:
    """What a ciphertext is bound to."""
    return f"{webhook_id}|webhook|{name}"


def _headers(delivery: Delivery, secrets: Iterable[str], target: Target, sent: bytes) -> dict[str, str]:
    timestamp = now()
    return {
        "host": target.origin.partition("://")[2],
        "content-type": "application/json",
        "accept-encoding": "identity",  # so that what is read is what was sent, and no more
        "user-agent": f"Tawny/{__version__}",
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, str(delivery.id), timestamp, sent) for secret in secrets),
    }


async def _read(response: httpx.Response) -> Outcome:
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= ANSWER_BYTES:
            break
    answer = words.lines(read[: 4 * _KEPT].decode(errors="replace"), _KEPT) or None
    taken = response.is_success
    error = None if taken else "a redirect is not followed" if response.is_redirect else "the answer was no"
    return Outcome(taken=taken, seconds=0.0, status=response.status_code, answer=answer, error=error)


def _not_taken(error: str, *, unsure: bool = False) -> Outcome:
    return Outcome(taken=False, seconds=0.0, error=error, unsure=unsure)
