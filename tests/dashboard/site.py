"""What the tests of pages start from: the dashboard on a served API, and somebody who looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from api.world import World
from tawny.access import Role

ORIGIN_OF_OTHERS = "https://evil.example"


@dataclass
class Site:
    """A browser without a screen, in which somebody is signed in, on the pages of a team."""

    world: World
    http: httpx.AsyncClient
    slug: str

    @property
    def team(self) -> str:
        return f"/teams/{self.slug}"

    async def get(self, path: str = "", **more: Any) -> httpx.Response:
        """A page of the team, or with a path that begins with `/` any page."""
        return await self.http.get(self._full(path), **more)

    async def fragment(self, path: str, **more: Any) -> httpx.Response:
        return await self.get(path, headers={"hx-request": "true"}, **more)

    async def post(self, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """Send a form, with the token that pages carry unless another is given."""
        sent = {"csrf": await self.token() if token is None else token} | fields
        return await self.http.post(self._full(path), data=sent, headers=headers)

    async def token(self) -> str:
        """What the forms of this browser carry."""
        page = await self.http.get("/sign-in")
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert found, page.text
        return found[1]

    def _full(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.team}/{path}".rstrip("/")


async def look(world: World, http: httpx.AsyncClient, role: Role) -> Site:
    """Sign somebody with this role in."""
    user = await world.add_user(role)
    http.cookies.set("tawny_session", await world.token(user.id))
    slug: str = await world.conn.fetchval("select slug from teams where id = $1", world.team_id)
    return Site(world, http, slug)


def said(answer: httpx.Response) -> str:
    """The words on a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())
