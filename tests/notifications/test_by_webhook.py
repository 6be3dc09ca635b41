"""A post reaches exactly the address that was looked at, signed, and whatever is there costs no more than its time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.mail.postoffice import self_signed
from tests.notifications import receiver as posts
from tests.notifications.receiver import Receiver, check, opened
from tests.notifications.test_letter import DESK, run

from tawny.access.keyring import Keyring
from tawny.notifications import ByWebhook, by_webhook
from tawny.notifications.by_webhook import place_of
from tawny.notifications.delivery import Delivery, Webhook
from tawny.notifications.sign import new_secret

KEYRING = Keyring([b"k" * 32])
SECRET = new_secret()
HOOK_ID, ID = UUID(int=3), UUID(int=9)
PUBLIC = '{"id":"00000000-0000-0000-0000-000000000007","status":"completed","result":{"a":"é"}}'


def delivery(url: str, *, format: Any = "json", open: bool = True, event: str = "completed", **changes: Any) -> Delivery:  # noqa: A002
    sealed = {name: KEYRING.encrypt(text, place_of(HOOK_ID, name)) for name, text in (("url", url), ("secret", SECRET))}
    hook = Webhook(HOOK_ID, "Deploy bot", format, open, None, sealed)
    about = None if event == "test" else run(public=PUBLIC, **changes)
    return Delivery(ID, 1, "webhook", event, None, "Acme", datetime(2026, 3, 4, tzinfo=UTC), about, hook)


def poster(**more: Any) -> ByWebhook:
    return ByWebhook(lambda: KEYRING, DESK, **{"private": True, **more})


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(SECRET)


async def test_a_post_is_signed_and_says_what_ended_and_how(receiver: Receiver) -> None:
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url))
    (post,) = receiver.posts
    assert (outcome.taken, outcome.status, outcome.answer) == (True, 200, "ok")
    assert post.verdict == "ok"
    assert post.line == "POST /hook HTTP/1.1"
    assert post.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == str(ID)
    sent = json.loads(post.body)
    assert sent == {"type": "run.completed", "timestamp": "2026-03-04T05:06:07.000Z", "data": {"job_run": json.loads(PUBLIC)}}
    assert outcome.request == post.body.decode()


async def test_a_test_is_about_nothing(receiver: Receiver) -> None:
    async with opened(receiver):
        await poster()(delivery(receiver.url, event="test"))
    sent = json.loads(receiver.posts[0].body)
    assert sent == {"type": "webhook.test", "timestamp": "2026-03-04T00:00:00.000Z", "data": {"job_run": None}}


async def test_a_receiver_refuses_what_was_changed_and_what_it_has_seen(receiver: Receiver) -> None:
    async with opened(receiver):
        await poster()(delivery(receiver.url))
        await poster()(delivery(receiver.url))
    first, again = receiver.posts
    assert (first.verdict, again.verdict) == ("ok", "replay"), "the same message keeps its id"
    now = int(first.headers["webhook-timestamp"])
    assert check(SECRET, first, set(), now) == "ok"
    assert check(SECRET, first, set(), now + 301) == "old"
    assert check(new_secret(), first, set(), now) == "signature"
    for change in ({"webhook-id": "another"}, {"webhook-timestamp": str(now + 1)}):
        assert check(SECRET, replace(first, headers=first.headers | change), set(), now) == "signature"
    assert check(SECRET, replace(first, body=first.body + b" "), set(), now) == "signature"


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_another_answer_than_yes_is_a_no(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: f"HTTP/1.1 {status} No\r\ncontent-length: 5\r\n\r\n<b>no".encode()
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url))
    assert (outcome.taken, outcome.unsure, outcome.status, outcome.answer) == (False, False, status, "<b>no")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    other = Receiver()
    async with opened(receiver), opened(other):
        receiver.answer = lambda _: f"HTTP/1.1 {status} There\r\nlocation: {other.url}\r\ncontent-length: 0\r\n\r\n".encode()
        outcome = await poster()(delivery(receiver.url))
    assert (outcome.taken, outcome.status, outcome.error) == (False, status, "a redirect is not followed")
    assert other.posts == []


async def test_a_slow_answer_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_webhook, "SECONDS", 0.2)
    receiver.gate = asyncio.Event()
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url))
        receiver.gate.set()
    assert (outcome.taken, outcome.unsure) == (False, True)
    assert "no answer" in (outcome.error or "")


async def test_an_answer_in_drops_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_webhook, "SECONDS", 0.3)
    receiver.answer = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx"
    stays_open = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(receiver.answer(posts.Post("", {}, b"")))
        await stays_open.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await poster()(delivery(f"http://127.0.0.1:{port}/"))
    stays_open.set()
    server.close()
    assert (outcome.taken, outcome.unsure) == (False, True)


@pytest.mark.parametrize("encoding", ["", "content-encoding: gzip\r\n"])
async def test_of_a_huge_answer_no_more_is_read_than_is_needed(receiver: Receiver, encoding: str) -> None:
    receiver.answer = lambda _: f"HTTP/1.1 200 OK\r\n{encoding}content-length: 100000000\r\n\r\n".encode() + b"x" * 10_000_000
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url))
    assert outcome.taken
    assert len(outcome.answer or "") <= 1_000


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000, b"\x00" * 1000])
async def test_what_is_no_answer_says_nothing(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = lambda _: answer
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url))
    assert (outcome.taken, outcome.unsure) == (False, True)


async def test_where_nobody_listens_nothing_was_taken(receiver: Receiver) -> None:
    async with opened(receiver):
        pass
    outcome = await poster()(delivery(receiver.url))
    assert (outcome.taken, outcome.unsure, outcome.error) == (False, False, "no connection could be made")


class Resolver:
    """A name server whose answers change: what it says first, and what it says from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_name_that_leads_inside_by_now_is_not_posted_to(receiver: Receiver) -> None:
    """It led to a public address when it was saved."""
    async with opened(receiver):
        url = f"https://rebinding.example.com:{receiver.port}/"
        for inside in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]):
            outcome = await poster(private=False, ask=Resolver(inside))(delivery(url))
            assert (outcome.taken, outcome.status) == (False, None)
            assert outcome.error == "A webhook leads to a public address, not into a private network."
    assert receiver.posts == []


async def test_a_name_is_asked_for_once_and_its_address_is_kept(receiver: Receiver) -> None:
    """Between the look and the connection it begins to lead elsewhere; nobody asks again."""
    elsewhere = Receiver()
    async with opened(receiver), opened(elsewhere):
        resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
        outcome = await poster(ask=resolver)(delivery(f"http://rebinding.example.com:{receiver.port}/hook"))
    assert outcome.taken
    assert resolver.asked == ["rebinding.example.com"]
    assert receiver.posts[0].headers["host"] == f"rebinding.example.com:{receiver.port}"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "http://example.com/", "https://[::ffff:10.0.0.1]/"])
async def test_what_was_saved_when_it_was_allowed_is_refused_once_it_is_not(url: str) -> None:
    outcome = await poster(private=False)(delivery(url))
    assert (outcome.taken, outcome.status) == (False, None)


async def test_over_tls_the_name_is_what_the_certificate_is_checked_for(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is of the address; a name that leads there is not in it."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    async with opened(receiver, certificate.context):
        ours = poster(ask=Resolver(["127.0.0.1"]))
        assert (await ours(delivery(f"https://127.0.0.1:{receiver.port}/"))).taken
        outcome = await ours(delivery(f"https://other.example.com:{receiver.port}/"))
    assert (outcome.taken, outcome.error) == (False, "no connection could be made")
    assert len(receiver.posts) == 1


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(receiver: Receiver, tmp_path: Path) -> None:
    async with opened(receiver, self_signed(tmp_path).context):
        assert not (await poster()(delivery(f"https://127.0.0.1:{receiver.port}/"))).taken
    assert receiver.posts == []


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Receiver()
    async with opened(receiver), opened(proxy):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await poster()(delivery(receiver.url))).taken
    assert proxy.posts == []


async def test_nothing_is_posted_to_a_disabled_webhook(receiver: Receiver) -> None:
    async with opened(receiver):
        outcome = await poster()(delivery(receiver.url, open=False))
    assert (outcome.taken, outcome.hopeless) == (False, True)
    assert receiver.posts == []


async def test_without_the_right_key_nothing_is_posted_and_it_is_tried_again() -> None:
    for ring in (None, Keyring([b"x" * 32])):
        outcome = await ByWebhook(lambda ring=ring: ring, DESK)(delivery("https://example.com/"))  # type: ignore[misc]
        assert (outcome.taken, outcome.hopeless) == (False, False)
        assert "key" in (outcome.error or "")


EVIL = "<!channel> @here [x](https://evil.example) *bold* `code` <https://evil.example|here> & \r\nline \u202e \x00"


async def test_a_message_for_slack_is_plain_text_whatever_a_job_wrote(receiver: Receiver) -> None:
    changes = {"project": EVIL, "error": EVIL, "result": {EVIL: EVIL}, "job_type": EVIL}
    async with opened(receiver):
        assert (await poster()(delivery(receiver.url, format="slack", event="failed", **changes))).taken
    sent = json.loads(receiver.posts[0].body)
    assert receiver.posts[0].verdict == "ok"
    assert set(sent) == {"text", "blocks"}
    assert "<" not in sent["text"]
    assert "&lt;!channel&gt;" in sent["text"]
    assert "@here" not in sent["text"]
    assert "](" not in sent["text"]
    *texts, button = sent["blocks"]
    assert {block["text"]["type"] for block in texts} == {"plain_text"}
    assert all("\u202e" not in block["text"]["text"] and "\x00" not in block["text"]["text"] for block in texts)
    assert button["elements"][0]["url"] == f"https://jobs.example.com/teams/acme/runs/{run().id}"


async def test_a_message_for_slack_says_what_ended_and_how(receiver: Receiver) -> None:
    async with opened(receiver):
        await poster()(delivery(receiver.url, format="slack"))
        await poster()(delivery(receiver.url, format="slack", event="test"))
    told, test = (json.loads(post.body) for post in receiver.posts)
    link = f"https://jobs.example.com/teams/acme/runs/{run().id}"
    assert told["text"] == f"✅ Invoice export completed · Web shop · 2 min 5 s\n{link}", "for what shows no blocks"
    lines = told["blocks"][1]["text"]["text"].split("\n")
    assert lines == ["Project: Web shop", "Took: 2 min 5 s", "Progress: 30 of 120 (25 %)", "exported: 30", "file: march.csv"]
    assert test["text"] == "Test of the webhook Deploy bot"
