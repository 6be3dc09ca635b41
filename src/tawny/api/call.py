"""Plain routes: one async function from a `Call` to an `Answer`, as ASGI.

They cost a fifth of a FastAPI route, so the endpoints that programs poll are made of them. `openapi.py` documents them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tawny.access import Actor
from tawny.api.answers import Answer, send_answer
from tawny.api.body import read_bytes, read_object
from tawny.api.client import client_of
from tawny.api.credentials import authorization
from tawny.api.state import State, state_of
from tawny.api.uuids import NOBODY, parse_uuid


class Call:
    """One request to a plain route."""

    __slots__ = ("_receive", "scope", "state")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.state: State = state_of(scope)
        self._receive = receive

    async def actor(self) -> Actor:
        """Who sends it; Unauthenticated when nobody valid does."""
        return await self.state.authenticator.actor(authorization(self.scope["headers"]))

    def id(self, name: str) -> UUID:
        """The id in the path. What is no UUID becomes the id of nothing: it is then answered like every unknown one."""
        return parse_uuid(self.scope["path_params"][name]) or NOBODY

    def text(self, name: str) -> str:
        """A word in the path."""
        text: str = self.scope["path_params"][name]
        return text

    @property
    def public_url(self) -> str:
        """Where people and other services reach this server: as it was set, and never what the request's `Host` says."""
        return self.state.settings.base_url

    @property
    def query(self) -> bytes:
        query: bytes = self.scope["query_string"]
        return query

    @property
    def client(self) -> str:
        """Whom to count this request for, where it matters who asks too often."""
        return client_of(self.scope, self.state.settings.proxies)

    async def body(self) -> dict[str, Any] | None:
        """The JSON object in the body, None without a body."""
        return await read_object(self.scope, self._receive)

    async def raw_body(self) -> bytes:
        """The body as it was sent, for what is signed."""
        return await read_bytes(self.scope, self._receive)

    def header(self, name: bytes) -> str | None:
        """A header that was sent once; None otherwise."""
        found = [value for key, value in self.scope["headers"] if key == name]
        return found[0].decode("latin-1") if len(found) == 1 else None


Endpoint = Callable[[Call], Awaitable[Answer]]


class _Plain:
    """An endpoint as an ASGI app. A class, because Starlette takes functions for endpoints of its own kind."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_answer(send, await self._endpoint(Call(scope, receive)))


def plain_route(method: str, path: str, endpoint: Endpoint) -> Route:
    """A route to a plain endpoint."""
    return Route(path, _Plain(endpoint), methods=[method], name=getattr(endpoint, "__name__", None))
