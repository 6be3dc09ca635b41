"""The page of events."""

from __future__ import annotations

from reference import markdown
from reference.markdown import code, table
from tawny.runs import EVENT_KINDS

_INTRODUCTION = """\
A fact about a run, in its timeline (`GET /v1/jobs/{run_id}/timeline`). `seq` numbers the events of one run without a gap. Every
field of `data` may be absent. In a timeline, tracebacks stand with the attempts and not with the events."""


def page() -> str:
    rows = [
        (code(kind), about.text, "; ".join(f"{code(field)}: {text}" for field, text in about.data.items()))
        for kind, about in EVENT_KINDS.items()
    ]
    return markdown.page("Events", _INTRODUCTION, table(("kind", "what it says", "data"), rows))
