"""The bad network is as bad as it says: what it is told to lose is lost, and nothing else."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from time import monotonic

import pytest
from tests.chaos.network import Conditions, Proxy, Way, to_port
from tests.waiting import until

BOTH: frozenset[Way] = frozenset({"up", "down"})
REPLIES: frozenset[Way] = frozenset({"down"})


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the suite runs on: it has transports of its own."""
    return "asyncio", {"use_uvloop": True}


class Server:
    """Does what each line says, which is to remember it, and answers with the same line."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.met = 0
        self.left = 0
        self.writers: list[StreamWriter] = []

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.met += 1
        self.writers.append(writer)
        try:
            while line := await reader.readline():
                self.done.append(line.strip())
                writer.write(line)
        except ConnectionError:
            pass
        finally:
            self.left += 1
            writer.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()


class Client:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, text: bytes) -> None:
        self.writer.write(text + b"\n")

    async def hear(self) -> bytes:
        """The next line; nothing once the other side has hung up, ConnectionResetError where it was cut off."""
        async with asyncio.timeout(5):
            return (await self.reader.readline()).strip()

    async def ask(self, text: bytes) -> bytes:
        self.say(text)
        return await self.hear()

    def give_up(self) -> None:
        self.writer.close()


class Line:
    """A server, a proxy before it, and clients."""

    def __init__(self, stack: AsyncExitStack, server: Server, proxy: Proxy) -> None:
        self.server = server
        self.proxy = proxy
        self.heard: list[bytes] = []
        proxy.seen = lambda _link, chunk: self.heard.append(chunk)
        self._stack = stack

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.proxy.port))
        self._stack.callback(client.give_up)
        return client

    async def client(self) -> Client:
        """A client whose connection is through, as it has been answered once."""
        client = await self.connect()
        assert await client.ask(b"hello") == b"hello"
        return client

    async def holds(self) -> None:
        """Return once the proxy holds something back."""

        async def something() -> bool:
            return any(link.held_since for link in self.proxy.links)

        await until(something, "something that is held back")

    async def does(self, *lines: bytes) -> None:
        """Return once the server has done all of these."""

        async def all_of_them() -> bool:
            return set(lines) <= set(self.server.done)

        await until(all_of_them, f"{lines} at the server")

    async def hears(self, chunk: bytes) -> None:
        """Return once the proxy has read this from a client."""

        async def read() -> bool:
            return chunk in self.heard

        await until(read, f"{chunk!r} at the proxy")

    async def loses(self, clients: int) -> None:
        """Return once so many connections have ended at the server."""

        async def so_many() -> bool:
            return self.server.left == clients

        await until(so_many, f"the end of {clients} connections")

    async def notices(self) -> float:
        async def noticed() -> list[float]:
            return self.proxy.noticed

        (seconds,) = await until(noticed, "a connection that was given up")
        return seconds


class Worst(Random):
    """Chance that always brings the worst."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with AsyncExitStack() as stack:
        server = Server()
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        stack.callback(listener.close)
        proxy = await stack.enter_async_context(opened(Proxy(to_port(listener.sockets[0].getsockname()[1]), Worst())))
        yield Line(stack, server, proxy)


@asynccontextmanager
async def opened(proxy: Proxy) -> AsyncIterator[Proxy]:
    await proxy.open()
    yield proxy
    async with asyncio.timeout(5):
        await proxy.close()


async def test_a_good_network_passes_everything_and_hears_what_clients_call_themselves(line: Line) -> None:
    client = await line.client()
    assert await client.ask(b"\x00application_name\x00tawny-writer\x00") == b"\x00application_name\x00tawny-writer\x00"
    assert [link.name for link in line.proxy.links] == ["tawny-writer"]
    client.give_up()
    await line.loses(1)


async def test_a_cut_resets_both_ends(line: Line) -> None:
    client = await line.client()
    assert line.proxy.cut(reset=True) == 1
    with pytest.raises(ConnectionResetError):
        await client.hear()
    await line.loses(1)
    assert line.proxy.noticed == []


async def test_a_close_says_goodbye_to_both_ends(line: Line) -> None:
    client = await line.client()
    assert line.proxy.cut(reset=False) == 1
    assert await client.hear() == b""
    await line.loses(1)


async def test_a_network_that_is_frozen_both_ways_delivers_late_and_loses_nothing(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=BOTH))
    client.say(b"one")
    await line.holds()
    client.say(b"two")
    assert line.server.done == [b"hello"]
    line.proxy.set(Conditions())
    assert [await client.hear(), await client.hear()] == [b"one", b"two"]
    assert line.server.done == [b"hello", b"one", b"two"]
    assert line.proxy.noticed == []


async def test_a_network_that_is_frozen_one_way_lets_things_be_done_and_holds_their_replies(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=REPLIES))
    client.say(b"one")
    await line.does(b"one")
    await line.holds()
    line.proxy.set(Conditions())
    assert await client.hear() == b"one"


@pytest.mark.parametrize("frozen", [BOTH, REPLIES], ids=["both ways", "replies"])
async def test_a_frozen_connection_that_its_client_gives_up_is_timed(line: Line, frozen: frozenset[Way]) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=frozen))
    said = monotonic()
    client.say(b"one")
    await line.holds()
    client.give_up()
    assert 0 < await line.notices() <= monotonic() - said


async def test_a_frozen_connection_is_given_up_by_clients_that_say_goodbye_too(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=BOTH))
    client.say(b"one")
    await line.holds()
    client.say(b"goodbye")
    client.give_up()
    await line.notices()


async def test_what_was_sent_arrives_after_its_sender_has_given_up_and_so_does_that_it_has(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=BOTH))
    client.say(b"one")
    await line.holds()
    client.say(b"two")
    client.give_up()
    await line.notices()
    assert (line.server.done, line.server.left) == ([b"hello"], 0)
    line.proxy.set(Conditions())
    await line.does(b"one", b"two")
    await line.loses(1)


async def test_a_client_of_a_frozen_network_does_not_hear_that_its_server_is_gone(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=BOTH))
    line.server.hang_up()
    client.say(b"one")
    await line.holds()
    assert not client.reader.at_eof()
    line.proxy.set(Conditions())
    assert await client.hear() == b""
    assert line.server.done == [b"hello"]


async def test_who_connects_to_a_frozen_network_waits_and_was_never_there_having_given_up(line: Line) -> None:
    line.proxy.set(Conditions(frozen=BOTH))
    impatient, patient = await line.connect(), await line.connect()
    impatient.say(b"one")
    impatient.give_up()
    patient.say(b"two")

    async def one_is_gone() -> bool:
        return len(line.proxy.connects) == 2 and len(line.proxy._tasks) == 1

    await until(one_is_gone, "a connection that is given up")
    line.proxy.set(Conditions())
    assert await patient.hear() == b"two"
    assert (line.server.met, line.server.done) == (1, [b"two"])


async def test_a_cut_ends_what_is_frozen_and_nobody_has_noticed(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(frozen=BOTH))
    client.say(b"one")
    await line.holds()
    line.proxy.cut(reset=True)
    with pytest.raises(ConnectionResetError):
        await client.hear()
    await line.loses(1)
    assert (line.proxy.noticed, line.server.done) == ([], [b"hello"])


async def test_latency_delays_each_way(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(latency=0.05))
    asked = monotonic()
    assert await client.ask(b"one") == b"one"
    assert monotonic() - asked >= 0.09  # the timers of a loop are coarse


async def test_a_trickle_brings_byte_after_byte_and_the_rest_at_once_when_it_is_over(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(trickle=100))
    asked = monotonic()
    assert await client.ask(b"12345") == b"12345"
    assert monotonic() - asked >= 0.08  # ten pauses
    line.proxy.set(Conditions(trickle=0.01))
    client.say(b"67890")
    await line.hears(b"67890\n")
    line.proxy.set(Conditions())
    assert await client.hear() == b"67890"


async def test_a_lost_reply_was_executed_and_ends_the_connection(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(loss=1.0))
    client.say(b"one")
    with pytest.raises(ConnectionResetError):
        await client.hear()
    assert (line.server.done, line.proxy.lost) == ([b"hello", b"one"], 1)


async def test_after_certain_words_the_reply_is_lost(line: Line) -> None:
    client = await line.client()
    line.proxy.set(Conditions(cut_after=b"COMMIT"))
    assert await client.ask(b"one") == b"one"
    client.say(b"COMMIT")
    with pytest.raises(ConnectionResetError):
        await client.hear()
    assert (line.server.done, line.proxy.lost) == ([b"hello", b"one", b"COMMIT"], 1)


async def test_nobody_is_connected_to_a_server_that_is_away() -> None:
    async def away() -> tuple[StreamReader, StreamWriter]:
        raise ConnectionRefusedError

    async with opened(Proxy(away, Worst())) as proxy:
        client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port))
        with pytest.raises(ConnectionResetError):
            await client.ask(b"one")
        client.give_up()
