"""The benchmark runs from start to end. What its figures are is not looked at: tests run on busy machines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[1]
HTTP = {"per_second", "p50_ms", "p99_ms", "cpu_us"}
MEMORY = {"rss_mb", "pss_mb"}
VALUES = {
    "get": HTTP,
    "list": HTTP,
    "filtered": HTTP,
    "deep": HTTP,
    "deep_page": HTTP,
    "trigger": HTTP,
    "start_entered": {"p50_ms", "p99_ms"},
    "start_claimed": {"p50_ms", "p99_ms"},
    "drain": {"per_second", "cpu_us"},
    "drain_two_connections": {"per_second", "cpu_us"},
    "limit_roomy": {"per_second", "cpu_us"},
    "limit_of_three": {"per_second", "cpu_us"},
    "retention": HTTP,
    "retention_size": {"mb"},
    "memory_worker": MEMORY,
    "memory_api": MEMORY,
}

BESIDE = {"deep_page": "first_page", "limit_roomy": "unlimited", "limit_of_three": "three_at_once"} | {
    "retention": "before",
    "retention_size": "before",
}
"""What else than the floor a figure stands beside."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TAWNY_")}
    done = subprocess.run([ROOT / "scripts/bench", "--quick", "--json"], env=environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-4000:]
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def test_every_figure_is_measured_on_both_sides(report: dict[str, Any]) -> None:
    assert report["figures"].keys() == VALUES.keys()
    for name, values in VALUES.items():
        figure = report["figures"][name]
        beside = BESIDE.get(name, "floor")
        for side in ("tawny", beside):
            assert values <= figure[side].keys(), (name, side)
            assert len(figure["rounds"][side]) == 1 or (name, side) == ("retention", "tawny")


def test_every_figure_with_a_target_says_whether_it_holds(report: dict[str, Any]) -> None:
    judged = {name for name, figure in report["figures"].items() if figure["target"]}
    limits = {"limit_roomy", "limit_of_three", "retention"}
    assert judged == {"get", "list", "filtered", "deep", "deep_page", "trigger", "drain", "drain_two_connections"} | limits
    assert all(isinstance(report["figures"][name]["holds"], bool) for name in judged - {"get", "list", "filtered", "deep"})


def test_a_quick_run_says_that_it_does_not_count(report: dict[str, Any]) -> None:
    assert report["counts"] is False
    assert "--quick" in report["warnings"][0]
