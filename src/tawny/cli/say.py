"""Sentences for people, on stderr."""

from __future__ import annotations

import os
import sys


def say(sentence: str) -> None:
    """Print a sentence; at a terminal its lines are broken between words, so that what it names can be read and copied."""
    print(_broken(sentence) if sys.stderr.isatty() else sentence, file=sys.stderr, flush=True)


def _broken(sentence: str) -> str:
    from textwrap import fill

    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return sentence
    if not columns:
        return sentence
    return "\n".join(fill(line, columns, break_long_words=False, break_on_hyphens=False) for line in sentence.split("\n"))
