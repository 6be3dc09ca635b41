"""One client for the worker, and one idempotency key for all attempts of a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from examples.http_client import app
from tests.examples.conftest import FloorOf

from tawny.testing import run, run_async

ANSWERS = {1: 402, 2: 503}
"""What the service says to these amounts of cents the first time; 201 to all else, and from the second time on."""


class Payments(BaseHTTPRequestHandler):
    """A payment service that remembers the keys of its charges."""

    keys: list[str]

    def do_POST(self) -> None:
        cents = json.loads(self.rfile.read(int(self.headers["content-length"])))["cents"]
        self.keys.append(self.headers["idempotency-key"])
        status = 201 if cents in ANSWERS and self.keys.count(self.keys[-1]) > 1 else ANSWERS.get(cents, 201)
        body = json.dumps({"id": f"charge of {cents}"}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def payments() -> Iterator[tuple[str, list[str]]]:
    """The address of the service, and the keys that it sees."""
    keys: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Payments,), {"keys": keys})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", keys
        server.shutdown()
        thread.join()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    with payments() as (url, keys):
        monkeypatch.setenv("PAYMENTS_URL", url)
        yield keys


async def test_a_second_attempt_calls_with_the_same_key_and_another_run_with_another(keys: list[str], floor_of: FloorOf) -> None:
    floor = await floor_of(app)
    async with floor.working():
        run_id = await floor.trigger("charge", cents=2)
        await floor.fact(run_id, "retrying")
        await floor.make_due(run_id)
        row = await floor.ended(run_id)
        other = await floor.trigger("charge", cents=1250)
        await floor.ended(other)
    assert json.loads(str(row["result"])) == {"charge": "charge of 2", "attempt": 2}
    assert keys == [str(run_id), str(run_id), str(other)]


def test_a_card_that_is_declined_is_final(keys: list[str]) -> None:
    outcome = run(app, "charge", {"cents": 1})
    assert (outcome.status, outcome.error, outcome.result) == ("failed", "The card was declined.", {"cents": 1})


async def test_a_test_may_bring_a_client_of_its_own() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(201, json={"id": request.headers["idempotency-key"]}))
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        outcome = await run_async(app, "charge", {"cents": 5}, state=client)
    assert outcome.status == "completed"
