"""Stylesheet, scripts and icons: kept in memory, compressed, and under an address that changes when they do."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tawny.api.answers import Header
from tawny.errors import NotFound

FOLDER: Final = Path(__file__).with_name("static")
KINDS: Final = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".svg": b"image/svg+xml"}

_FOR_EVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of ours. `version` changes with what is in it."""

    kind: bytes
    body: bytes
    zipped: bytes
    version: str


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in KINDS}


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(KINDS[path.suffix], body, gzip.compress(body, mtime=0), sha256(body).hexdigest()[:12])


class _Static:
    """Answers with a file. Its address names its version, so that a browser asks once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asset = assets().get(scope["path_params"]["name"])
        if asset is None:
            raise NotFound("There is no such file.")
        zip_it = any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])
        body = asset.zipped if zip_it else asset.body
        headers = [
            (b"content-type", asset.kind),
            (b"content-length", b"%d" % len(body)),
            (b"vary", b"accept-encoding"),
            (b"x-content-type-options", b"nosniff"),
            _FOR_EVER,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers + [(b"content-encoding", b"gzip")] * zip_it})
        await send({"type": "http.response.body", "body": body})


ROUTES: Final = (Route("/static/{version}/{name}", _Static(), methods=["GET"], name="static"),)
