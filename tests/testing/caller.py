"""A client of the fake that follows pages as one should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urljoin

import httpx

from tawny.testing.revenuecat import FakeRevenueCat

Json = dict[str, Any]


class Caller:
    """Asks with the fake's key, unless another one is given. What it has opened is closed at the end of the block."""

    def __init__(self, fake: FakeRevenueCat, secret: str | None = None) -> None:
        self.fake = fake
        headers = {"Authorization": f"Bearer {secret or fake.key.secret}"}
        self._http = httpx.AsyncClient(headers=headers, timeout=10, trust_env=False, verify=False)

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """The answer to this path of the project that has the customers; one that begins with a slash is taken as it is."""
        inside = path if path.startswith("/") else f"/v2/projects/{self.fake.project_id}/{path}"
        return await self._http.get(self.fake.origin + inside, params=query or None)

    async def json(self, path: str, **query: Any) -> Json:
        """The body of an answer that has to be 200."""
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def pages(self, path: str, **query: Any) -> AsyncIterator[Json]:
        """Every page of a list."""
        page = await self.json(path, **query)
        yield page
        while page.get("next_page"):
            page = (await self._http.get(urljoin(self.fake.origin, page["next_page"]))).json()
            yield page

    async def items(self, path: str, **query: Any) -> list[Json]:
        """Every item of a list."""
        return [item async for page in self.pages(path, **query) for item in page["items"]]


def path_of(customer_id: str, of: str = "") -> str:
    """The path of a customer or of one of its lists."""
    return f"customers/{quote(customer_id, safe='')}{of and f'/{of}'}"
