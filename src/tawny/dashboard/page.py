"""What a page is: an address, who may see it, and a function from a visit to a reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from tawny.access import Operation
from tawny.api.body import ClientGone
from tawny.api.guard import note_failure
from tawny.dashboard.problems import problem_of
from tawny.dashboard.reply import Reply, send_reply
from tawny.dashboard.visit import Visit
from tawny.errors import Unauthenticated

Handler = Callable[[Visit], Awaitable[Reply]]

TEAM: Final = "/teams/{team}"
"""Where the pages of a team begin."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or what one of its forms is sent to. `needs`: what the visitor must be allowed in the team of the address."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    needs: Operation | None
    public: bool

    @property
    def name(self) -> str:
        return f"page:{self.handler.__name__}"


def page(
    method: Literal["GET", "POST"], path: str, *, needs: Operation | None = None, public: bool = False
) -> Callable[[Handler], Page]:
    """Make a handler a page. Unless `public`, it is for who is signed in; under `TEAM`, for members of that team who may do what
    it `needs`. A form that is sent must carry the token of its session, whatever the page: see `Visit.form`."""
    return lambda handler: Page(method, path, handler, needs, public)


def served(page: Page) -> ASGIApp:
    """The page as an ASGI app."""
    return _Served(page)


class _Served:
    """A class, because Starlette takes functions for endpoints of its own kind."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive)
        try:
            reply = await self._reply(visit)
        except ClientGone:
            return
        except Exception as error:
            reply = await _refusal(visit, error)
        await send_reply(send, reply)

    async def _reply(self, visit: Visit) -> Reply:
        if not self._page.public:
            await visit.enter(self._page.needs)
        if self._page.method == "POST":
            await visit.read_form()
        return await self._page.handler(visit)


async def _refusal(visit: Visit, error: Exception) -> Reply:
    """An error as a page. Who only looked and is not signed in is taken to where one signs in, and back."""
    if isinstance(error, Unauthenticated) and visit.reads and not visit.is_fragment:
        return visit.go(visit.sign_in_path())
    problem = problem_of(error)
    if problem is None:
        note_failure(visit.scope, error)
    return visit.refuse(problem)
