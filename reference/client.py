"""The client that blocks, made of the one that is awaited: the same file with other words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parents[1] / "src/tawny/client"
SOURCE: Final = CLIENT / "aio.py"
MADE: Final = CLIENT / "sync.py"

_HEAD: Final = '"""The client. Made of `aio.py` by `scripts/client`; change that."""'
_WORDS: Final = (
    (r'^""".*?"""', _HEAD),
    (r"import asyncio\nfrom collections", "from collections"),
    (r"from time import monotonic", "from time import monotonic, sleep"),
    (r"\bawait asyncio\.sleep\b", "sleep"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncGenerator\[Event, None\]", "Generator[Event, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\baclosing\b", "closing"),
    (r"\bhttpx\.Async(Client|BaseTransport)\b", r"httpx.\1"),
    (r"\bAsync(Client|Jobs)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_lines)\b", r"\1"),
)


def made() -> str:
    """The text of `sync.py`."""
    text = SOURCE.read_text()
    for pattern, replacement in _WORDS:
        text = re.sub(
            pattern,
            replacement,
            text,
            flags=re.MULTILINE | (re.DOTALL if pattern.startswith("^") else 0),
            count=1 if pattern.startswith("^") else 0,
        )
    return _formatted(text)


def _formatted(text: str) -> str:
    """Without `async` some lines are short enough to be joined."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(MADE), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603 (our own text)


if __name__ == "__main__":
    MADE.write_text(made())
