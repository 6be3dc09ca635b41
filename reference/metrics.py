"""The page of metrics."""

from __future__ import annotations

from reference import markdown
from reference.markdown import code, table
from tawny.api.scrape import FRESH_SECONDS, METRICS

_INTRODUCTION = f"""\
`GET /metrics` answers in the text format of Prometheus. It needs no credential and names no team, project, run or worker; where
strangers can reach the server, let your proxy refuse it to them. The numbers come from the database and are the same in every API
process, save those of the connections and the build. A reading is kept for {FRESH_SECONDS:g} second."""


def page() -> str:
    rows = [(code(name), metric.kind, ", ".join(map(code, metric.labels)), metric.text) for name, metric in METRICS.items()]
    return markdown.page("Metrics", _INTRODUCTION, table(("metric", "kind", "labels", "what it is"), rows))
