"""Forged evidence: a good story with one lie in it, and the invariant that the lie is to trip.

`python -m tests.chaos.forgeries` prints them as the rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos import checker
from tests.chaos.evidence import Evidence, Row
from tests.chaos.ledger import Fact
from tests.chaos.story import CALM, KEY, KILLED, STOPPED

Change = Callable[[Evidence], None]


@dataclass(frozen=True)
class Forgery:
    """A lie, told by changing the evidence of the good story."""

    invariant: str
    sentence: str
    change: Change


FORGERIES: dict[str, Forgery] = {}


def _trips(invariant: str, sentence: str) -> Callable[[Change], Change]:
    def known(change: Change) -> Change:
        FORGERIES[change.__name__] = Forgery(invariant, sentence, change)
        return change

    return known


def rows() -> Iterator[str]:
    """The rows of a table: an invariant, what it says, the forgeries that trip it."""
    yield "| invariant | what it says | forged ledgers that trip it |"
    yield "|---|---|---|"
    for name, says in sayings().items():
        sentences = [forgery.sentence for forgery in FORGERIES.values() if forgery.invariant == name]
        yield f"| {name} | {says} | {'; '.join(sentences)} |"


def sayings() -> dict[str, str]:
    """What each invariant says, in the judge's own words."""
    checks = [*checker.INVARIANTS.values(), checker.enough_happened]
    firsts = [(check.__doc__ or "").partition("\n")[0] for check in checks]
    return {name: says.rstrip(".") for name, _, says in (first.partition(": ") for first in firsts)}


# How lies are told


def _run(evidence: Evidence, run: str) -> Row:
    return next(row for row in evidence.runs if row["id"] == run)


def _event(evidence: Evidence, run: str, kind: str) -> Row:
    return [event for event in evidence.events if (event["run"], event["kind"]) == (run, kind)][-1]


def _fact(evidence: Evidence, what: str, **more: Any) -> Fact:
    return next(fact for fact in evidence.of(what) if more.items() <= fact.items())


def _note(evidence: Evidence, at: float, what: str, **more: Any) -> None:
    evidence.facts.append({"what": what, "at": at, **more})
    evidence.facts.sort(key=lambda fact: fact["at"])


def _change_status(evidence: Evidence, run: str, old: str, new: str, *, stale: bool = False) -> None:
    attempt = _run(evidence, run)["attempt"]
    evidence.audit.append({"run": run, "old": old, "new": new, "attempt": attempt, "stale": stale})


def _renumber(evidence: Evidence, run: str) -> None:
    for seq, event in enumerate((event for event in evidence.events if event["run"] == run), start=1):
        event["seq"] = seq


# I1


@_trips("I1", "an acknowledged run is not there")
def run_lost(evidence: Evidence) -> None:
    evidence.runs.remove(_run(evidence, "first"))


@_trips("I1", "a run never ends")
def run_never_ends(evidence: Evidence) -> None:
    _run(evidence, "second")["status"] = "running"
    evidence.events.remove(_event(evidence, "second", "completed"))


@_trips("I1", "a run completes although its cancel was acknowledged")
def cancel_not_kept(evidence: Evidence) -> None:
    _run(evidence, "cancelled")["status"] = "completed"
    _event(evidence, "cancelled", "cancelled")["kind"] = "completed"


# I2


@_trips("I2", "a run ends twice")
def two_ends(evidence: Evidence) -> None:
    evidence.events.append({**_event(evidence, "first", "completed"), "seq": 4, "kind": "cancelled"})


@_trips("I2", "a completed run goes on")
def illegal_step(evidence: Evidence) -> None:
    _change_status(evidence, "first", "completed", "running")


@_trips("I2", "progress of an attempt that is over is stored")
def stale_progress(evidence: Evidence) -> None:
    _change_status(evidence, "stopped", "running", "running", stale=True)


@_trips("I2", "an attempt that is over completes its run")
def stale_finish(evidence: Evidence) -> None:
    _event(evidence, "stopped", "completed")["attempt"] = 1


@_trips("I2", "a run has the result of an attempt that was over")
def stale_result(evidence: Evidence) -> None:
    _run(evidence, "stopped")["result_of"] = 1


@_trips("I2", "an attempt starts while another one of its run is not over")
def two_attempts_at_once(evidence: Evidence) -> None:
    evidence.events.remove(_event(evidence, "handed back", "released"))
    _renumber(evidence, "handed back")


@_trips("I2", "an attempt is skipped")
def attempt_skipped(evidence: Evidence) -> None:
    for kind in ("started", "completed"):
        _event(evidence, "first", kind)["attempt"] = 2


@_trips("I2", "an event is missing")
def event_missing(evidence: Evidence) -> None:
    evidence.events.remove(_event(evidence, "cancelled", "cancel_requested"))


# I3


@_trips("I3", "two runs are in one slot")
def two_in_one_slot(evidence: Evidence) -> None:
    evidence.overlaps.append("first second")


# I4


@_trips("I4", "an attempt acts when the next one of its run has started, though it looked after its process had been stopped")
def zombie_of_the_run(evidence: Evidence) -> None:
    step = _fact(evidence, "step", run="stopped", pid=STOPPED)
    step["checked"] = _fact(evidence, "cont", pid=STOPPED)["at"]


@_trips("I4", "a run acts when the next one of its slot has started")
def zombie_of_the_slot(evidence: Evidence) -> None:
    at = _fact(evidence, "start", run="second")["at"] + 0.01
    _note(evidence, at, "step", run="first", attempt=1, pid=CALM, step=2, checked=at)


@_trips("I4", "a call of an attempt that has lost its lease is accepted")
def stale_call_accepted(evidence: Evidence) -> None:
    _fact(evidence, "refused_call", run="stopped")["what"] = "accepted"


# I5


@_trips("I5", "an effect is committed twice")
def effect_twice(evidence: Evidence) -> None:
    evidence.effects.append("booked")


@_trips("I5", "a run completes without its effect")
def effect_lost(evidence: Evidence) -> None:
    evidence.effects.remove("booked")


# I6


@_trips("I6", "a run is nobody's")
def phantom(evidence: Evidence) -> None:
    _run(evidence, "first")["call"] = "call of nobody"


@_trips("I6", "a call makes two runs")
def two_runs_for_a_call(evidence: Evidence) -> None:
    _run(evidence, "second")["call"] = "call of first"


@_trips("I6", "a refused call makes a run")
def refused_and_made(evidence: Evidence) -> None:
    _run(evidence, "unsure")["call"] = "call of met"


@_trips("I6", "a call is answered with another call's run")
def another_runs_answer(evidence: Evidence) -> None:
    _fact(evidence, "ok", run="first")["run"] = "second"


# I7


def _tick(evidence: Evidence, decision: str) -> Row:
    return next(tick for tick in evidence.ticks if tick["decision"] == decision)


@_trips("I7", "a due time is left out")
def due_time_left_out(evidence: Evidence) -> None:
    evidence.ticks.remove(_tick(evidence, "skipped_active"))


@_trips("I7", "the last due time is left out")
def last_due_time_left_out(evidence: Evidence) -> None:
    evidence.ticks.remove(_tick(evidence, "missed"))


@_trips("I7", "a due time is decided twice")
def due_time_twice(evidence: Evidence) -> None:
    skipped = _tick(evidence, "skipped_active")
    evidence.ticks.insert(evidence.ticks.index(skipped), {**skipped, "decision": "missed", "run": None})


@_trips("I7", "a due time starts a run that its tick does not know")
def due_time_starts_two(evidence: Evidence) -> None:
    _tick(evidence, "started")["decision"] = "missed"


@_trips("I7", "a tick says that it has started a run that is not there")
def started_nothing(evidence: Evidence) -> None:
    _tick(evidence, "skipped_active").update(decision="started", run="nobody")


@_trips("I7", "a row of several due times has a wrong count")
def wrong_count(evidence: Evidence) -> None:
    _tick(evidence, "missed").update(until=1_063.0, times=3)


@_trips("I7", "a due time is decided late although the database is up")
def decided_late(evidence: Evidence) -> None:
    _tick(evidence, "missed")["decided"] += 5


@_trips("I7", "a schedule stands still")
def stands_still(evidence: Evidence) -> None:
    evidence.stopped = 1_080.0


# I8


@_trips("I8", "a mail was lost")
def mail_lost(evidence: Evidence) -> None:
    evidence.facts.remove(_fact(evidence, "mail", run="told"))


@_trips("I8", "a mail came twice, and was taken for certain the first time")
def mail_twice(evidence: Evidence) -> None:
    evidence.facts.append(_fact(evidence, "mail", run="told"))


@_trips("I8", "a mail came three times, of which one may have been lost")
def mail_three_times(evidence: Evidence) -> None:
    evidence.facts.append(_fact(evidence, "mail", run="told again"))


@_trips("I8", "a mail tells of another end than the run had")
def mail_of_another_end(evidence: Evidence) -> None:
    _fact(evidence, "mail", run="told")["said"] = "failed"


@_trips("I8", "a mail came that nobody had asked for")
def mail_for_nobody(evidence: Evidence) -> None:
    _note(evidence, 3.0, "mail", run="first", said="completed", to=["you@localhost"], pid=1)


@_trips("I8", "a mail tells of a run that is not there")
def mail_of_nothing(evidence: Evidence) -> None:
    _note(evidence, 3.0, "mail", run="nothing", said="completed", to=["you@localhost"], pid=1)


# I9


@_trips("I9", "a crash is charged to an attempt whose process lives")
def charged_alive(evidence: Evidence) -> None:
    evidence.facts.remove(_fact(evidence, "kill", pid=KILLED))


@_trips("I9", "an attempt dies with its process, and its run is given back without a charge")
def died_uncharged(evidence: Evidence) -> None:
    _event(evidence, "killed", "lost")["kind"] = "released"


@_trips("I9", "an attempt dies with its process, and its charge is taken back")
def died_forgiven(evidence: Evidence) -> None:
    lost = _event(evidence, "killed", "lost")
    evidence.events.insert(evidence.events.index(lost) + 1, {**lost, "kind": "released"})
    _renumber(evidence, "killed")


# I10


@_trips("I10", "PostgreSQL finds a deadlock")
def deadlock(evidence: Evidence) -> None:
    evidence.logs["postgres"] += "\nERROR:  deadlock detected"


@_trips("I10", "a traceback is in a log")
def traceback(evidence: Evidence) -> None:
    evidence.logs["api"] += "\nTraceback (most recent call last):\n  …"


@_trips("I10", "an error was forgotten")
def forgotten_error(evidence: Evidence) -> None:
    evidence.logs["api"] += "\nTask exception was never retrieved"


@_trips("I10", "a client is answered 500")
def answered_500(evidence: Evidence) -> None:
    evidence.statuses[500] = 1


@_trips("I10", "a process ends by itself")
def ended_by_itself(evidence: Evidence) -> None:
    _note(evidence, 55.0, "exit", pid=CALM, name="worker-101", code=-11, age=55.0)


@_trips("I10", "a process that was up ends when the database goes away")
def gave_up_without_its_database(evidence: Evidence) -> None:
    _fact(evidence, "exit")["age"] = 20.0


@_trips("I10", "a process ends at its start although the database is there")
def did_not_come_up(evidence: Evidence) -> None:
    _note(evidence, 55.0, "exit", pid=108, name="worker-108", code=1, age=0.4)


# I11


@_trips("I11", "a key is in a log")
def key_in_a_log(evidence: Evidence) -> None:
    evidence.logs["api"] += f"\nAuthorization: Bearer {KEY}"


@_trips("I11", "a key is in the database")
def key_in_the_database(evidence: Evidence) -> None:
    evidence.dump += f"\n({KEY})"


# I12


def _grow(evidence: Evidence, **more: int) -> None:
    name, health = next(iter(evidence.after.items()))
    evidence.after[name] = replace(health, **more)


@_trips("I12", "a process takes half as much memory again")
def memory_grows(evidence: Evidence) -> None:
    _grow(evidence, memory=90 << 20)


@_trips("I12", "a process keeps files open")
def files_grow(evidence: Evidence) -> None:
    _grow(evidence, files=60)


# I13


@_trips("I13", "less happens than the scenario asks for")
def too_little(evidence: Evidence) -> None:
    evidence.facts.remove(_fact(evidence, "ok"))


if __name__ == "__main__":
    print("\n".join(rows()))
