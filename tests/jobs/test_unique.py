"""Runs are told apart by what the handler would get, not by how it was sent."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from tawny import Run, Tawny
from tawny.errors import InvalidRequest
from tawny.jobs import Job, unique_key

app = Tawny()


@app.job("export", unique_by=("count", "since", "tags"))
def export(
    run: Run, count: int = 5, since: date = date(2026, 1, 1), tags: frozenset[str] = frozenset(), note: str = ""
) -> None: ...


@app.job("single")
def single(run: Run, count: int = 5) -> None: ...


def key(params: dict[str, Any], job: Job = app.jobs["export"]) -> str | None:
    return unique_key(job, job.params.check(params))


def test_without_unique_by_there_is_no_key() -> None:
    assert key({"count": 1}, app.jobs["single"]) is None


def test_a_key_is_a_sha_256_in_hex() -> None:
    assert len(key({}) or "") == 64


@pytest.mark.parametrize(
    "params",
    [
        {"count": 5},
        {"count": "5"},
        {"count": 5.0},
        {"since": "2026-01-01"},
        {"note": "what is not named does not count"},
        {"project_id": "00000000-0000-0000-0000-000000000001"},
    ],
)
def test_the_same_values_are_the_same_key(params: dict[str, Any]) -> None:
    assert key(params) == key({})


@pytest.mark.parametrize("params", [{"count": 6}, {"since": "2026-01-02"}, {"tags": ["a"]}])
def test_other_values_are_another_key(params: dict[str, Any]) -> None:
    assert key(params) != key({})


@pytest.mark.slow
def test_a_set_is_the_same_in_any_order_and_in_any_process() -> None:
    tags = ["a", "b", "c", "d", "e"]
    assert key({"tags": tags}) == key({"tags": tags[::-1]})
    program = "from tests.jobs.test_unique import key; print(key({'tags': ['a', 'b', 'c', 'd', 'e']}))"
    said = [
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True)
        for seed in ("1", "2")
    ]
    assert {answer.stdout.strip() for answer in said} == {key({"tags": tags})}


def test_what_json_cannot_write_is_refused() -> None:
    job = app.jobs["export"]
    with pytest.raises(InvalidRequest, match="told apart"):
        unique_key(job, job.params.check({}) | {"tags": object()})
