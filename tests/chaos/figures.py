"""What is counted and measured of a scenario. Times are seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos import checker
from tests.chaos.evidence import Evidence
from tests.chaos.ledger import Fact

Figures = dict[str, Any]

_FAULTS = {"kill": "kill", "stop": "stop", "down": "restart", "cut": "cut", "frozen": "freeze", "term": "term"}


def figures(evidence: Evidence) -> Figures:
    """All of it, flat; lists of seconds as their percentiles."""
    oks, refused = evidence.of("ok"), evidence.of("refused")
    conflicts = [fact for fact in refused if fact["status"] == 409]
    zombies = list(checker.zombie_steps(evidence))
    recovered = list(recoveries(evidence))
    return {
        **{f"{name}s": sum(fact["what"] == kind for fact in evidence.facts) for kind, name in _FAULTS.items()},
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


def spread(seconds: list[float]) -> dict[str, float]:
    """How many, and the middle, the last hundredth and the worst of them."""
    if not seconds:
        return {"n": 0}
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"n": len(ordered), "p50": round(ordered[len(ordered) // 2], 3), "p99": round(last, 3), "max": round(ordered[-1], 3)}


def _stale_refused(evidence: Evidence) -> int:
    """What lost attempts tried: refused in their process, and by the database."""
    by_database = sum(text.count("the database refused what lost attempts returned") for text in evidence.logs.values())
    return len(evidence.of("refused_call")) + by_database


def recoveries(evidence: Evidence) -> Iterator[tuple[float, bool]]:
    """From the kill of a worker to the start of its run elsewhere; and whether the database was up all the while."""
    kills = {fact["pid"]: fact["at"] for fact in evidence.of("kill")}
    times_away = list(checker.outages(evidence))
    lasts: dict[str, Fact] = {}
    for fact in evidence.of("start", "end"):
        before = lasts.get(fact["run"])
        lasts[fact["run"]] = fact
        if before is None or fact["what"] != "start" or before["what"] != "start" or before["pid"] not in kills:
            continue
        killed = kills[before["pid"]]
        if before["at"] <= killed <= fact["at"] and fact["attempt"] == before["attempt"] + 1:
            yield fact["at"] - killed, not any(down <= fact["at"] and killed <= up + LEASE for down, up in times_away)


LEASE = 2.0
"""For one lease after the database was away nobody reaps."""


def resumes(evidence: Evidence) -> Iterator[float]:
    """From the moment at which the database accepts connections again to the next start of a run."""
    starts = [fact["at"] for fact in evidence.of("start")]
    times_away = list(checker.outages(evidence))
    for place, (_, up) in enumerate(times_away):
        until = times_away[place + 1][0] if place + 1 < len(times_away) else float("inf")
        first = next((at for at in starts if at >= up), None)
        if first is not None and first < until:
            yield first - up
        elif until - up > 5 and until != float("inf"):
            yield until - up


def shutdowns(evidence: Evidence) -> Figures:
    """How long a worker that was told to stop went on starting runs, and how soon what it gave back started elsewhere."""
    terms = {fact["pid"]: fact["at"] for fact in reversed(evidence.of("term"))}
    if not terms:
        return {}
    late, again = [], []
    late.extend(max(0.0, fact["at"] - terms[fact["pid"]]) for fact in evidence.of("start") if fact["pid"] in terms)
    lasts: dict[str, Fact] = {}
    for fact in evidence.of("start", "end"):
        before = lasts.get(fact["run"])
        lasts[fact["run"]] = fact
        if before and before["what"] == fact["what"] == "start" and terms.get(before["pid"], 0) > before["at"]:
            again.append(fact["at"] - terms[before["pid"]])
    return {"claimed_after_term_max": round(max(late, default=0.0), 3), "given_back": spread(again)}


def claims(evidence: Evidence) -> Figures:
    """From a trigger to the start of its run, before somebody opened an old snapshot and while it was open."""
    opened = next((fact["at"] for fact in evidence.of("snapshot")), None)
    if opened is None:
        return {}
    over = next((fact["at"] for fact in evidence.of("snapshot over")), float("inf"))
    called = {fact["call"]: fact["at"] for fact in evidence.of("call")}
    calls = {run["id"]: run["call"] for run in evidence.runs}
    before, during = [], []
    for fact in evidence.of("start"):
        seconds = fact["at"] - called[calls[fact["run"]]]
        if fact["at"] < opened:
            before.append(seconds)
        elif fact["at"] < over:
            during.append(seconds)
    quick, slow = spread(before), spread(during)
    ratio = round(slow["p99"] / quick["p99"], 2) if slow["n"] and quick["n"] else None
    return {"claim_before_snapshot": quick, "claim_during_snapshot": slow, "snapshot_ratio": ratio}


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
    """The figures of several scenarios as one: counts added up, the worst of what is a most."""
    result: Figures = {}
    for one in all_figures:
        for name, value in one.items():
            if isinstance(value, int) and not name.endswith("max"):
                result[name] = result.get(name, 0) + value
            elif isinstance(value, int | float):
                result[name] = max(result.get(name, 0), value)
    return result
