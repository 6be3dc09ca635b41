"""What a body may be: size, time, type, and strict JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress
from typing import Any

import pytest
from tests.waiting import ends

from api.world import Raw, World, read_answer
from tawny.api import body, guard
from tawny.api.body import BODY_LIMIT
from tawny.api.strict_json import parse_object
from tawny.errors import InvalidRequest

OVER_LIMIT = BODY_LIMIT + 1


def said(raw: Raw) -> tuple[int, str]:
    return raw.status, json.loads(raw.body)["code"]


def envelope(world: World, params: str) -> bytes:
    """A trigger whose `params` are this text."""
    return f'{{"job_type": "import", "project_id": "{world.project_id}", "params": {params}}}'.encode("utf-8", "surrogatepass")


def nested(depth: int) -> str:
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


# Type


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        'application/json; charset="utf-8"',
    ],
)
async def test_a_body_is_json_in_utf8(world: World, content_type: str) -> None:
    assert (await world.post_bytes(envelope(world, "{}"), f"content-type: {content_type}")).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        ("content-type: text/plain",),
        ("x-nothing: said",),
        ("content-type:",),
        ("content-type: application/json; charset=utf-16",),
        ("content-type: application/json; charset=latin-1",),
        ("content-type: application/json; profile=x",),
        ("content-type: application/x-www-form-urlencoded",),
        ("content-type: application/json", "content-type: text/plain"),
        ("content-type: application/jsonx",),
    ],
)
async def test_a_body_that_is_not_said_to_be_json_is_415(world: World, headers: tuple[str, ...]) -> None:
    assert said(await world.post_bytes(envelope(world, "{}"), *headers)) == (415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_an_encoded_body_is_415_and_never_unpacked(world: World, encoding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = await world.post_bytes(bomb, "content-type: application/json", f"content-encoding: {encoding}")
    assert said(answer) == (415, "unsupported_content_encoding")


async def test_a_trigger_without_a_body_says_what_is_missing(world: World) -> None:
    answer = await world.send("POST", f"/v1/teams/{world.team_id}/jobs/trigger")
    assert (answer.status_code, answer.json()["code"]) == (400, "missing_field")


# Size and time


async def test_a_body_of_one_mebibyte_is_read(world: World) -> None:
    filled = envelope(world, '{"text": ""}')
    filled = filled.replace(b'""', b'"' + b"x" * (BODY_LIMIT - len(filled)) + b'"')
    assert len(filled) == BODY_LIMIT
    assert (await world.post_bytes(filled)).status == 201


async def test_one_byte_more_is_refused_before_it_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LINGER_SECONDS", 0.05)
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    answer = await world.raw(world.head("POST", path, "content-type: application/json", f"content-length: {OVER_LIMIT}"))
    assert said(answer) == (413, "payload_too_large")
    assert answer.closed


async def test_a_client_that_sends_all_of_a_larger_body_still_reads_the_refusal(world: World) -> None:
    for _ in range(5):
        answer = await world.send("POST", "/v1/jobs/x/cancel", content=b" " * 5_000_000)
        assert answer.status_code == 413


async def test_who_would_wait_for_a_100_continue_is_not_told_to_go_on(world: World) -> None:
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    answer = await world.raw(world.head("POST", path, "expect: 100-continue", f"content-length: {OVER_LIMIT}"))
    assert answer.status == 413


async def send_chunks_until_answered(world: World, request_head: bytes) -> Raw:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.served.port)
    writer.write(request_head)
    answering = asyncio.ensure_future(read_answer(reader))
    try:
        while not answering.done():
            writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
            await asyncio.wait({answering}, timeout=0.001)
        return await answering
    finally:
        writer.close()


@pytest.mark.slow
async def test_an_endless_body_in_chunks_is_refused_at_the_limit_and_cut(world: World) -> None:
    head = world.head(
        "POST", f"/v1/teams/{world.team_id}/jobs/trigger", "content-type: application/json", "transfer-encoding: chunked"
    )
    answer = await asyncio.wait_for(send_chunks_until_answered(world, head), 10)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.slow
async def test_an_endless_body_of_nobody_is_cut_as_well(world: World) -> None:
    head = b"POST /v1/jobs/x/cancel HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await asyncio.wait_for(send_chunks_until_answered(world, head), 10)
    assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_a_chunked_body_is_read(world: World) -> None:
    async def chunks() -> Any:
        for byte in envelope(world, "{}"):
            yield bytes([byte])

    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    answer = await world.send("POST", path, content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 201


async def test_a_body_that_does_not_arrive_is_408_and_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert body.BODY_SECONDS == 10
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    answer = await world.raw(world.head("POST", path, "content-type: application/json", "content-length: 100") + b"{")
    assert said(answer) == (408, "request_timeout")
    assert answer.closed


async def test_a_client_that_goes_away_in_its_body_leaves_nothing(world: World) -> None:
    sent = envelope(world, "{}")
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    _, writer = await asyncio.open_connection("127.0.0.1", world.served.port)
    writer.write(world.head("POST", path, "content-type: application/json", f"content-length: {len(sent)}") + sent[:-1])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await world.list()).json()["job_runs"] == []


# JSON


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"job_type"', "invalid_json"),
        (b"{'job_type': 1}", "invalid_json"),
        (b'{"a": 1,}', "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b'{"a": 01}', "invalid_json"),
        (b'{"a": "\x01"}', "invalid_json"),
        (b'{"a": "\x00"}', "invalid_json"),
        (b"   ", "invalid_json"),
        (b"[]", "must_be_object"),
        (b'"x"', "must_be_object"),
        (b"null", "must_be_object"),
        (b"42", "must_be_object"),
        (b"true", "must_be_object"),
        (b'\xef\xbb\xbf{"a": 1}', "byte_order_mark"),
        ('{"a": 1}'.encode("utf-16"), "byte_order_mark"),
        ('{"a": 1}'.encode("utf-16-le"), "invalid_json"),
        (b'{"a": "\xff"}', "invalid_utf8"),
        (b'{"a": "\xc0\xaf"}', "invalid_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"job_type": "a", "job_type": "b"}', "duplicate_key"),
        (b'{"params": {"a": [{"b": 1, "b": 1}]}}', "duplicate_key"),
        (b'{"a": 1, "\\u0061": 2}', "duplicate_key"),
        (b'{"a": NaN}', "invalid_number"),
        (b'{"a": [Infinity]}', "invalid_number"),
        (b'{"a": -Infinity}', "invalid_number"),
        (b'{"a": 1e400}', "invalid_number"),
        (b'{"a": -1.5e999999}', "invalid_number"),
        (b'{"a": ' + b"9" * 1001 + b"}", "invalid_number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "invalid_number"),
        (b'{"a": "\\u0000"}', "invalid_character"),
        (b'{"a\\u0000": 1}', "invalid_character"),
        (b'{"a": [["\\ud800"]]}', "invalid_character"),
        (b'{"a": {"\\udfff": 1}}', "invalid_character"),
        (b'{"a": "\\ude00\\ud83d"}', "invalid_character"),
        (nested(33).encode(), "too_deep"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "too_deep"),
        (b'{"a":' + b"[" * 100_000, "too_deep"),
        (json.dumps({str(n): n for n in range(10_001)}).encode(), "too_many_values"),
        (json.dumps({"a": [{str(n): 1} for n in range(10_000)]}).encode(), "too_many_values"),
        (json.dumps({"a": [0] * 100_001}).encode(), "too_many_values"),
        (json.dumps({"a": [[]] * 100_001}).encode(), "too_many_values"),
        (b'{"a":[' + b"[]," * 200_000 + b"0]}", "too_many_values"),
    ],
)
async def test_what_is_not_strictly_json_has_a_code_of_its_own(world: World, sent: bytes, code: str) -> None:
    assert said(await world.post_bytes(sent)) == (400, code)


async def test_a_truncated_body_says_where_it_ends(world: World) -> None:
    answer = json.loads((await world.post_bytes(b'{"job_type": ')).body)
    assert answer["offset"] == 13
    assert "13" in answer["error"]


@pytest.mark.parametrize(
    "params",
    [
        nested(31),
        '{"a": "\\ud83d\\ude00 \\\\u0000 \\u00e9"}',
        '{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}',
        '{"a": "\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}',
        '{"' + "{" * 50 + '": 1}',
        json.dumps({"a": [0] * 99_000}),
        json.dumps({str(n): n for n in range(9_990)}),
        '{"a": ' + "9" * 1000 + "}",
        '{"a": 1e308, "b": 1e-400, "c": -0.0}',
        '{"a": "\U0001f600\u2028\x7f"}',
    ],
)
async def test_what_is_at_a_limit_or_only_looks_bad_is_taken(world: World, params: str) -> None:
    assert (await world.post_bytes(envelope(world, params))).status == 201


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'"' + b'\\"' * 500_000,
        b'"a' * 350_000,
        b"\\" * 1_000_000,
        b"[]" * 500_000,
        b'{"a": "' + b"{" * 1_000_000 + b'"',
        b"9" * 1_000_000,
        b'{"a": ' + b"9" * 1_000_000 + b"}",
        b'{"a": 1.' + b"9" * 1_000_000 + b"}",
        b" " * 1_000_000,
    ],
    ids=lambda text: text[:8].decode(),
)
def test_hostile_text_is_refused_in_linear_time(text: bytes) -> None:
    def read() -> None:
        with suppress(InvalidRequest):
            parse_object(text)

    ends(read)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000])
def test_a_text_a_hundred_thousand_levels_deep_is_refused_without_recursion(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="levels deep"):
        parse_object(text)


async def test_no_refusal_of_a_body_shows_what_was_in_it(world: World) -> None:
    secret = "hunter2-hunter2"
    for sent in (f'{{"notify": "{secret}"}}', f'{{"job_type": "{secret}"}}', f'{{"a": {secret}}}', f'["{secret}"]'):
        assert secret.encode() not in (await world.post_bytes(sent.encode())).body
