"""What is counted and measured of a scenario. Times are seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import Any

from tests.chaos import checker
from tests.chaos.evidence import Evidence

Figures = dict[str, Any]

_FAULTS = {"kill": "kill", "stop": "stop", "down": "restart", "cut": "cut", "frozen": "freeze", "term": "term"}


def figures(evidence: Evidence) -> Figures:
    """All of it, flat; lists of seconds as their percentiles."""
    oks, refused = evidence.of("ok"), evidence.of("refused")
    conflicts = [fact for fact in refused if fact["status"] == 409]
    zombies = list(checker.zombie_steps(evidence))
    recovered = list(recoveries(evidence))
    return {
        **{f"{name}s": len(evidence.of(kind)) for kind, name in _FAULTS.items()},
        "dropped": evidence.lost_replies,
        "acked": len(oks),
        "retried": sum(fact["unsure"] > 0 for fact in oks),
        "info": len(evidence.of("info")),
        "conflicts": len(conflicts),
        "cancels": len(evidence.of("cancel")),
        "terminal": sum(run["status"] in checker.TERMINAL for run in evidence.runs),
        "statuses": dict(Counter(run["status"] for run in evidence.runs)),
        "lost": len(list(checker.nothing_lost(evidence))),
        "phantom": len(list(checker.no_phantom(evidence))),
        "double_terminal": len(list(checker.one_end(evidence))),
        "overlap": len(evidence.overlaps),
        "ticks": len(evidence.ticks),
        "ticks_started": sum(tick["decision"] == "started" for tick in evidence.ticks),
        "ticks_missed": sum(tick["decision"] == "missed" for tick in evidence.ticks),
        "ticks_wrong": len(list(checker.due_times_decided(evidence))),
        "tick_late": spread(list(checker.lateness(evidence))),
        **mails(evidence),
        "zombie_steps": len(zombies),
        "zombie_max_s": round(max((step["at"] - later["at"] for step, later in zombies), default=0.0), 3),
        "stale_accepted": len(evidence.of("accepted")) + sum(change["stale"] for change in evidence.audit),
        "stale_refused": _stale_refused(evidence),
        "recoveries": len(recovered),
        "recover": spread([seconds for seconds, _ in recovered]),
        "recover_up": spread([seconds for seconds, up in recovered if up]),
        "outages": len(evidence.of("up")),
        "resume": spread(list(resumes(evidence))),
        "detect": spread(evidence.noticed),
        "trigger": spread([fact["seconds"] for fact in oks if not fact["unsure"]]),
        "conflict": spread([fact["seconds"] for fact in conflicts if not fact["unsure"]]),
        "refusals": evidence.statuses.get(503, 0) + evidence.statuses.get(507, 0),
        "poisoned": sum(run["error_code"] == "poisoned" for run in evidence.runs),
        "refusal_max": round(evidence.slowest_refusal, 3),
        "deadlocks": sum(text.count("deadlock detected") for text in evidence.logs.values()),
        "crashes": sum(event["kind"] == "lost" for event in evidence.events),
        "released": sum(event["kind"] == "released" for event in evidence.events),
        "exits": len(evidence.of("exit")),
        "connections": evidence.connections,
        "connects_peak": _connects_peak(evidence),
        "rss_growth": _growth(evidence),
        "drain_s": round(evidence.drained, 2),
        **shutdowns(evidence),
        **claims(evidence),
    }


def mails(evidence: Evidence) -> Figures:
    """Of how many runs a mail came, how many came again, how many may have, and how many never did."""
    came = Counter(fact["run"] for fact in evidence.of("mail"))
    asked = [run["id"] for run in evidence.runs if run["notify"] and run["status"] in checker.TERMINAL]
    return {
        "mails": len(came),
        "mails_again": came.total() - len(came),
        "mails_unsure": sum(mail["unsure"] for mail in evidence.mails),
        "mails_lost": sum(run not in came for run in asked),
        "mail_outages": len(evidence.of("mail server down")),
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """How many, and the middle, the last hundredth and the worst of them."""
    if not seconds:
        return {"n": 0}
    ordered = sorted(seconds)
    return {"n": len(ordered), **{name: round(ordered[ceil(len(ordered) * share) - 1], 3) for name, share in _SHARES.items()}}


_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}
"""The least of which so large a share is no more than that."""


def _stale_refused(evidence: Evidence) -> int:
    """What lost attempts tried: refused in their process, and by the database."""
    by_database = sum(text.count("the database refused what lost attempts returned") for text in evidence.logs.values())
    return len(evidence.of("refused_call")) + by_database


def recoveries(evidence: Evidence) -> Iterator[tuple[float, bool]]:
    """From the kill of a worker to the start of its run elsewhere; and whether the database was up all the while.

    Only of attempts that were lost by that: one that had raised, or was given back before, only had to wait for its turn.
    """
    lost = _closed_by(evidence, "lost")
    starts = _starts(evidence)
    times_away = list(checker.outages(evidence))
    for start, killed in checker.killed_attempts(evidence):
        again = starts.get((start["run"], start["attempt"] + 1))
        if again is not None and (start["run"], start["attempt"]) in lost:
            yield again - killed, not any(down <= again and killed <= up + LEASE for down, up in times_away)


LEASE = 2.0
"""For one lease after the database was away nobody reaps."""


def _closed_by(evidence: Evidence, kind: str) -> set[tuple[str, int]]:
    return {(event["run"], event["attempt"]) for event in evidence.events if event["kind"] == kind}


def _starts(evidence: Evidence) -> dict[tuple[str, int], float]:
    return {(fact["run"], fact["attempt"]): fact["at"] for fact in evidence.of("start")}


def resumes(evidence: Evidence) -> Iterator[float]:
    """From the moment at which the database accepts connections again to the next start of a run.

    Where nothing started before the database was away again, or before the last call, it had not resumed for so long at least;
    that is counted once it is longer than may be.
    """
    starts = [fact["at"] for fact in evidence.of("start")]
    last_call = max((fact["at"] for fact in evidence.of("call")), default=0.0)
    times_away = list(checker.outages(evidence))
    again_away = [*(down for down, _ in times_away[1:]), float("inf")]
    for (_, up), until in zip(times_away, again_away, strict=False):
        first = next((at for at in starts if at >= up), float("inf"))
        waited = min(until, last_call) - up
        if first < until:
            yield first - up
        elif waited > RESUMED:
            yield waited


RESUMED = 5.0
"""Seconds within which runs are to start again after the database was away."""


def shutdowns(evidence: Evidence) -> Figures:
    """How long a worker that was told to stop went on starting runs, and how soon what it gave back started elsewhere."""
    terms = {fact["pid"]: fact["at"] for fact in reversed(evidence.of("term"))}
    if not terms:
        return {}
    given_back = _closed_by(evidence, "released") - _closed_by(evidence, "lost")
    starts = _starts(evidence)
    late, again = [], []
    for fact in evidence.of("start"):
        told = terms.get(fact["pid"], float("inf"))
        late.append(max(0.0, fact["at"] - told))
        after = starts.get((fact["run"], fact["attempt"] + 1), 0.0)
        if (fact["run"], fact["attempt"]) in given_back and fact["at"] <= told <= after:
            again.append(after - told)
    return {"claimed_after_term_max": round(max(late, default=0.0), 3), "given_back": spread(again)}


def claims(evidence: Evidence) -> Figures:
    """From a trigger to the start of its run, before somebody opened an old snapshot and while it was open."""
    opened = next((fact["at"] for fact in evidence.of("snapshot")), None)
    if opened is None:
        return {}
    over = next((fact["at"] for fact in evidence.of("snapshot over")), float("inf"))
    waits = list(_waits(evidence))
    quick = spread([seconds for at, seconds in waits if at < opened])
    slow = spread([seconds for at, seconds in waits if opened <= at < over])
    ratio = round(slow["p99"] / quick["p99"], 2) if slow["n"] and quick.get("p99") else None
    return {"claim_before_snapshot": quick, "claim_during_snapshot": slow, "snapshot_ratio": ratio}


def _waits(evidence: Evidence) -> Iterator[tuple[float, float]]:
    """When each run started first, and how long after its call that was."""
    called = {fact["call"]: fact["at"] for fact in evidence.of("call")}
    calls = {run["id"]: run["call"] for run in evidence.runs}
    for fact in evidence.of("start"):
        at = called.get(calls.get(fact["run"], ""))
        if fact["attempt"] == 1 and at is not None:
            yield fact["at"], fact["at"] - at


def peak(times: list[float], window: float = 1.0) -> int:
    """The most that happened within one window."""
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


def _connects_peak(evidence: Evidence) -> int:
    """The most connections that were opened in one second after the database had been away."""
    back = next((fact["at"] for fact in evidence.of("up")), float("inf"))
    return peak([at for at in evidence.connects if at >= back])


def _growth(evidence: Evidence) -> float:
    """The most that a process which lived through it has grown, as a share."""
    both = [(evidence.before[name].memory, health.memory) for name, health in evidence.after.items() if name in evidence.before]
    return round(max((after / before - 1 for before, after in both), default=0.0), 3)


def merged(all_figures: list[Figures]) -> Figures:
    """The figures of several scenarios as one: counts added up, the most of what is a most.

    Of times that leaves how many there were and the worst: percentiles of several scenarios are not those of all their times.
    """
    result: Figures = {}
    for one in all_figures:
        for name, value in one.items():
            if value is not None:
                result[name] = _both(name, result[name], value) if name in result else _mergeable(value)
    return result


_MOSTS = {"connections", "connects_peak", "max"}


def _both(name: str, one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        other = _mergeable(other)
        return {key: _both(key, one.get(key, 0), other.get(key, 0)) for key in {**one, **other}}
    is_count = isinstance(other, int) and name not in _MOSTS
    return one + other if is_count else max(one, other)


def _mergeable(value: Any) -> Any:
    return {key: part for key, part in value.items() if key not in ("p50", "p99")} if isinstance(value, dict) else value
