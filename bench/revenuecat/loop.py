"""The published loop: one user after the other, four calls each, a pause, and no second try.

As its authors describe it: it resolves the project and the catalog; asks for the active entitlements of a user, then for
subscriptions, purchases and attributes at once; reads the first page of each; waits 350 ms. Who cannot be asked for the first is
an error. Where another call fails, the user is written without that and counts as synced. It writes into memory here, which takes
no time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio import StreamReader, StreamWriter
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import uvloop

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """Whom to sync, where; `pause` in seconds."""

    port: int
    key: str
    users: list[str]
    pause: float


@dataclass(frozen=True, slots=True)
class User:
    """What the loop keeps of a user; null where the call failed."""

    id: str
    entitlements: list[str] | None = None
    revenue_cents: int | None = None
    attributes: dict[str, str] | None = None


class Line:
    """A kept connection, on which one request is under way at a time."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, key: str) -> None:
        self._reader, self._writer = reader, writer
        self._rest = f" HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    async def get(self, path: str) -> Json | None:
        """The body of an answer; None unless it is a success."""
        self._writer.write(b"GET " + path.encode() + self._rest)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        answer: Json | None = json.loads(body) if head[9:12] == b"200" else None
        return answer


async def sync(given: Given) -> tuple[list[User], float]:
    """Sync all users; who they became, and the seconds that it took from the first of them on."""
    lines = [Line(*await asyncio.open_connection("127.0.0.1", given.port), given.key) for _ in range(3)]
    project, names = await _preflight(lines[0])
    users, began = [], time.monotonic()
    for user_id in given.users:
        users.append(await _user(lines, f"{project}/customers/{quote(user_id, safe='')}", user_id, names))
        await asyncio.sleep(given.pause)
    return users, time.monotonic() - began


async def _preflight(line: Line) -> tuple[str, dict[str, str]]:
    projects = await line.get("/v2/projects")
    assert projects, "the fake has a project"
    project = f"/v2/projects/{projects['items'][0]['id']}"
    entitlements = await line.get(f"{project}/entitlements?limit=100")
    await line.get(f"{project}/products?limit=100")
    return project, {item["id"]: item["lookup_key"] for item in (entitlements or {"items": []})["items"]}


async def _user(lines: list[Line], customer: str, user_id: str, names: dict[str, str]) -> User:
    active = await lines[0].get(f"{customer}/active_entitlements")
    if active is None:
        return User(user_id)
    subscriptions, purchases, whole = await asyncio.gather(
        lines[0].get(f"{customer}/subscriptions"),
        lines[1].get(f"{customer}/purchases"),
        lines[2].get(f"{customer}?expand=attributes"),
    )
    return User(
        user_id,
        entitlements=sorted(names.get(item["entitlement_id"], item["entitlement_id"]) for item in active["items"]),
        revenue_cents=_cents(subscriptions, purchases),
        attributes=None if whole is None else {item["name"]: item["value"] for item in whole["attributes"]["items"]},
    )


def _cents(*lists: Json | None) -> int | None:
    """Of what came, the sum; the sandbox is not told apart."""
    came = [page for page in lists if page is not None]
    money = [item.get("total_revenue_in_usd") or item.get("revenue_in_usd") for page in came for item in page["items"]]
    return round(sum(paid["gross"] for paid in money if paid) * 100) if came else None


if __name__ == "__main__":
    done, seconds = uvloop.run(sync(Given(**json.load(sys.stdin))))
    print(json.dumps({"users": [asdict(user) for user in done], "seconds": seconds}))
