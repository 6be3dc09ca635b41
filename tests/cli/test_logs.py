"""What a process logs, and what is not worth a line of it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from tawny.cli import logs


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What is logged in the configuration of our commands."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_addresses_that_are_called_are_not_logged(said: io.StringIO) -> None:
    for name in ("httpx", "httpcore.http11"):
        logging.getLogger(name).info("HTTP Request: GET https://example.com/customers/ada%40example.org")
    logging.getLogger("an.app").info("of an app")
    assert "ada" not in said.getvalue()
    assert "of an app" in said.getvalue()
