"""What the room offers, and what it costs to open its door."""

from __future__ import annotations

import subprocess
import sys

from tawny import access


def test_everything_the_door_names_is_there() -> None:
    assert sorted(set(access.__all__)) == sorted(access.__all__)
    for name in access.__all__:
        assert getattr(access, name) is not None


def test_whoever_reads_no_token_does_not_wait_for_pyjwt() -> None:
    program = "import sys, tawny.access; print(*(name in sys.modules for name in ('jwt', 'cryptography', 'pydantic')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3
