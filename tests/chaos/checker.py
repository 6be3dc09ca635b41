"""The judge: which promises were broken, by what is in the evidence alone. Pure; each invariant is one function.

The names are those of the guide: I1 nothing lost, I2 one end, I3 one active run, I4 no zombie, I5 effects once, I6 no phantom,
I7 due times decided, I8 told by mail, I9 charged as crashed, I10 quiet logs, I11 no secret, I12 nothing grows, I13 enough
happened.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tests.chaos.evidence import Evidence, Row
from tests.chaos.ledger import Fact
from tests.chaos.plan import WORK

TERMINAL = {"completed", "failed", "cancelled"}

_LEGAL = {
    (None, "pending"),
    ("pending", "running"),
    ("pending", "cancelled"),
    ("running", "pending"),
    *(("running", end) for end in TERMINAL),
}

# What a worker says about its own attempt. Nothing of it may come once a later attempt has started.
_SAID_BY_THE_ATTEMPT = TERMINAL | {"retrying", "lost"}
_OVER = _SAID_BY_THE_ATTEMPT | {"released"}

_SAY_WHEN_THEY_ARE_THROUGH = {*WORK, "clutch"}
"""Job types whose handlers leave a fact about their end. Of the others nobody can say whether they were running."""

_ROOM = 0.10
_SLACK_MEMORY = 6 * 2**20
_SLACK_FILES = 16
"""A pool opens its ten connections when they are first wanted, and a process that was counted while the database was away has its
own four to open again."""


def judge(evidence: Evidence, gates: Mapping[str, float], figures: Mapping[str, float]) -> dict[str, list[str]]:
    """Each broken invariant with what broke it; empty when all hold. `gates` are compared with `figures`."""
    found = {name: list(check(evidence)) for name, check in INVARIANTS.items()}
    found["I13"] = list(enough_happened(gates, figures))
    return {name: broken for name, broken in found.items() if broken}


def enough_happened(gates: Mapping[str, float], figures: Mapping[str, float]) -> Iterator[str]:
    """I13: a scenario in which too little happened has shown nothing."""
    for name, least in gates.items():
        if figures.get(name, 0) < least:
            yield f"{name} is {figures.get(name, 0)}, not {least:g}"


def nothing_lost(evidence: Evidence) -> Iterator[str]:
    """I1: the run of every acknowledged trigger is there, every run has ended, and an acknowledged cancel was kept."""
    runs = {run["id"]: run for run in evidence.runs}
    for fact in evidence.of("ok"):
        run = runs.get(fact["run"])
        if run is None:
            yield f"run {fact['run']} was acknowledged and is not there"
    for run in evidence.runs:
        if run["status"] not in TERMINAL:
            yield f"run {run['id']} is {run['status']} for ever"
    for fact in evidence.of("cancel"):
        if fact["run"] in runs and runs[fact["run"]]["status"] in TERMINAL - {"cancelled"}:
            yield f"run {fact['run']} was to be cancelled and is {runs[fact['run']]['status']}"


def one_end(evidence: Evidence) -> Iterator[str]:
    """I2: a run ends once, takes only legal steps, and nothing is said for an attempt that is over."""
    for run, changes in _by_run(evidence.audit).items():
        yield from (f"run {run} went from {c['old']} to {c['new']}" for c in changes if not c["stale"] and not _legal(c))
        yield from (f"run {run}: progress of an attempt that was over was stored" for c in changes if c["stale"])
    for run, events in _by_run(evidence.events).items():
        yield from _illegal_events(run, events)
    for ended in evidence.runs:
        if ended["result_of"] not in (None, ended["attempt"]):
            yield f"run {ended['id']} has the result of attempt {ended['result_of']}, and its last one was {ended['attempt']}"


def _legal(change: Row) -> bool:
    return (change["old"], change["new"]) in _LEGAL or change["old"] == change["new"]


def _illegal_events(run: str, events: list[Row]) -> Iterator[str]:
    ends = [event["kind"] for event in events if event["kind"] in TERMINAL]
    if len(ends) > 1:
        yield f"run {run} ended {len(ends)} times: {', '.join(ends)}"
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        yield f"run {run}: its events are not numbered 1, 2, 3 …"
    yield from _illegal_attempts(run, events)


def _illegal_attempts(run: str, events: list[Row]) -> Iterator[str]:
    started, over = 0, True
    for event in events:
        kind, attempt = event["kind"], event["attempt"]
        if kind == "started":
            if attempt != started + 1:
                yield f"run {run}: attempt {attempt} started after attempt {started}"
            elif not over:
                yield f"run {run}: attempt {attempt} started when attempt {started} was not over"
            started, over = attempt, False
        elif kind in _SAID_BY_THE_ATTEMPT and attempt < started:
            yield f"run {run}: {kind} was stored for attempt {attempt} when attempt {started} had started"
        over = over or (kind in _OVER and attempt == started)


def one_active_run(evidence: Evidence) -> Iterator[str]:
    """I3: no slot ever held two runs."""
    return (f"runs {pair} were active in one slot" for pair in evidence.overlaps)


def no_zombie(evidence: Evidence) -> Iterator[str]:
    """I4: no attempt acts once a later one has started, in its run or its slot; nor may it do anything that needs its lease."""
    for step, later in zombie_steps(evidence):
        yield f"run {step['run']}: attempt {step['attempt']} acted {step['at'] - later['at']:.3f} s after a later one started"
    for fact in evidence.of("accepted"):
        yield f"run {fact['run']}: attempt {fact['attempt']} had lost its lease and {fact['call']} was accepted"


def zombie_steps(evidence: Evidence) -> Iterator[tuple[Fact, Fact]]:
    """Steps of attempts that were over, each with the first start that came before it and should have been the end of it.

    Left out is what nothing can prevent: a process that was stopped between the look at its lease and the act.
    """
    slot_of = {run["id"]: run["slot"] for run in evidence.runs if run["job_type"] != "blink"}
    order = {run["id"]: place for place, run in enumerate(evidence.runs)}
    stops = _times(evidence.of("stop"))
    starts: dict[str, list[Fact]] = defaultdict(list)
    for fact in evidence.of("start", "step"):
        if fact["run"] not in slot_of:
            continue
        known, mine = starts[slot_of[fact["run"]]], (order[fact["run"]], fact["attempt"])
        if fact["what"] == "start":
            known.append(fact)
            continue
        later = [start for start in known if (order[start["run"]], start["attempt"]) > mine]
        stopped = any(fact["checked"] <= at <= fact["at"] for at in stops.get(fact["pid"], ()))
        if later and not stopped:
            yield fact, later[0]


def effects_once(evidence: Evidence) -> Iterator[str]:
    """I5: what a handler commits with its checkpoint is committed once, and by a run that completed for certain."""
    done = Counter(evidence.effects)
    yield from (f"run {run} committed its effect {times} times" for run, times in done.items() if times > 1)
    for run in evidence.runs:
        if run["job_type"] == "book" and run["status"] == "completed" and not done[run["id"]]:
            yield f"run {run['id']} completed without its effect"


def no_phantom(evidence: Evidence) -> Iterator[str]:
    """I6: every run is some call's, a call makes one run at most, and a refused one none."""
    made: dict[str, list[str]] = defaultdict(list)
    for run in evidence.runs:
        if run["schedule"] is None:
            made[run["call"]].append(run["id"])
    calls = {fact["call"] for fact in evidence.of("call")}
    answers = {fact["call"]: fact for fact in evidence.of("ok", "refused")}
    for call, runs in made.items():
        answer = answers.get(call)
        if call not in calls:
            yield f"run {runs[0]} was made for nobody"
        elif len(runs) > 1:
            yield f"call {call} made {len(runs)} runs"
        elif answer and answer["what"] == "refused":
            yield f"call {call} was refused and made run {runs[0]}"
        elif answer and answer["run"] != runs[0]:
            yield f"call {call} was answered with run {answer['run']} and made {runs[0]}"


def due_times_decided(evidence: Evidence) -> Iterator[str]:
    """I7: each due time of a schedule has one decision, at most one run, and none is missing or late while the database is up."""
    ticks: dict[str, list[Row]] = defaultdict(list)
    for tick in evidence.ticks:
        ticks[tick["schedule"]].append(tick)
    for schedule in evidence.schedules:
        yield from _gaps_and_doubles(schedule, ticks[schedule["id"]])
        if evidence.stopped is not None and schedule["next"] < evidence.stopped - LATE:
            yield f"schedule {schedule['id']} was {evidence.stopped - schedule['next']:.0f} s behind in the end"
    yield from _runs_without_their_tick(evidence)
    late = [seconds for seconds in lateness(evidence) if seconds > LATE]
    if len(late) * 100 > len(evidence.ticks):
        yield f"{len(late)} due times were decided up to {max(late):.1f} s late"


EVERY: Final = 1.0
"""Seconds between two due times."""
LATE: Final = 2.0
"""Seconds within which 99 of 100 due times are to be decided."""


def _gaps_and_doubles(schedule: Row, ticks: list[Row]) -> Iterator[str]:
    expected = int(schedule["made"]) + EVERY
    for tick in ticks:
        if tick["due"] != expected:
            how = "is decided twice" if tick["due"] < expected else f"comes {tick['due'] - expected:.0f} s after a gap"
            yield f"schedule {schedule['id']}: the due time {tick['due']:.0f} {how}"
        expected = (tick["until"] or tick["due"]) + EVERY
        if tick["until"] and tick["times"] != tick["until"] - tick["due"] + 1:
            yield f"schedule {schedule['id']}: {tick['times']} due times from {tick['due']:.0f} to {tick['until']:.0f}"
    if schedule["next"] != expected:
        yield f"schedule {schedule['id']}: the next due time is {schedule['next']:.0f}, and not {expected:.0f}"


def _runs_without_their_tick(evidence: Evidence) -> Iterator[str]:
    started = {tick["run"]: (tick["schedule"], tick["due"]) for tick in evidence.ticks if tick["decision"] == "started"}
    for run in evidence.runs:
        if run["schedule"] is not None and started.pop(run["id"], None) != (run["schedule"], run["due"]):
            yield f"run {run['id']} was started for a due time whose tick says otherwise"
    yield from (f"run {run} was started by a tick, and is not there" for run in started)


def lateness(evidence: Evidence) -> Iterator[float]:
    """How late each due time was decided that came while the database was up."""
    away = [(down + evidence.clock, up + evidence.clock) for down, up in outages(evidence)]
    for tick in evidence.ticks:
        if not any(down - EVERY <= tick["due"] <= up for down, up in away):
            yield tick["decided"] - tick["due"]


def told_by_mail(evidence: Evidence) -> Iterator[str]:
    """I8: a mail says how each run ended that was to be told of, and no other; a second one only where the first may be lost."""
    got: dict[str, list[Fact]] = defaultdict(list)
    for fact in evidence.of("mail"):
        got[fact["run"]].append(fact)
    unsure = {mail["run"]: mail["unsure"] for mail in evidence.mails}
    for run in evidence.runs:
        name, mails = run["id"], got.pop(run["id"], [])
        if run["notify"] and run["status"] in TERMINAL and not mails:
            yield f"nobody was told of run {name}"
        if mails and not run["notify"]:
            yield f"somebody was told of run {name} and had not asked for that"
        elif len(mails) > 1 + unsure.get(name, 0):
            yield f"{len(mails)} mails came about run {name}, and of {unsure.get(name, 0)} nobody knew whether they had"
        yield from (f"run {name} is {run['status']}, and a mail said {m['said']}" for m in mails if m["said"] != run["status"])
    yield from (f"a mail came about run {run}, which is not there" for run in got)


def charged_as_crashed(evidence: Evidence) -> Iterator[str]:
    """I9: a crash is charged to each attempt whose process died under it, and to no other."""
    yield from _charged_alive(evidence)
    yield from _died_uncharged(evidence)


def _charged_alive(evidence: Evidence) -> Iterator[str]:
    dead = {fact["pid"] for fact in evidence.of("kill", "exit")}
    disturbed = {fact["pid"] for fact in _disturbances(evidence)}
    if evidence.of("lossy"):  # on a network that loses replies all the time, anybody may fail to renew for a lease
        disturbed |= {fact["pid"] for fact in evidence.of("born")}
    for run, events in _by_run(evidence.events).items():
        workers = {event["attempt"]: _pid(event["worker"]) for event in events if event["kind"] == "started"}
        forgiven = {event["attempt"] for event in events if event["kind"] == "released"}
        charged = [event["attempt"] for event in events if event["kind"] == "lost" and event["attempt"] not in forgiven]
        ended = any(event["kind"] in TERMINAL for event in events)
        for attempt in charged:
            alive = workers.get(attempt) not in dead
            # One that comes back alive has its charge taken back, unless the run has ended by then.
            if alive and not (ended and workers.get(attempt) in disturbed) and not _own_process(evidence, run, attempt):
                yield f"run {run}: attempt {attempt} was charged a crash, and its worker lives"


def _disturbances(evidence: Evidence) -> list[Fact]:
    """What makes a process lose its lease: the harness, or a run that lets no other thread come to act."""
    clutches = {run["id"] for run in evidence.runs if run["job_type"] == "clutch"}
    return [*evidence.of("stop", "frozen"), *(fact for fact in evidence.of("start") if fact["run"] in clutches)]


def _died_uncharged(evidence: Evidence) -> Iterator[str]:
    closings: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in evidence.events:
        closings[event["run"], event["attempt"]].add(event["kind"])
    away = list(outages(evidence))
    for start, killed in killed_attempts(evidence):
        closing = closings[start["run"], start["attempt"]]
        # Whatever it said of its own end was on its way already: a handler that raised leaves no fact here. And one whose
        # lease ended with the database away may have raised, and been given back, before its process was killed.
        spared = closing & (TERMINAL | {"retrying"}) or any(down <= killed and start["at"] <= up for down, up in away)
        if "released" in closing and not spared:
            yield f"run {start['run']}: attempt {start['attempt']} died with its process, and was given back without a charge"


def killed_attempts(evidence: Evidence) -> Iterator[tuple[Fact, float]]:
    """The starts of attempts that ran until their process was killed, and when that was.

    Left out are processes that had been stopped, cut off or told to end before: those may have lost what they ran already. So is
    what runs in a process of its own. An attempt whose claim was answered to nobody has no start.
    """
    kills = {fact["pid"]: fact["at"] for fact in evidence.of("kill")}
    types = {run["id"]: run["job_type"] for run in evidence.runs}
    through = {_attempt(fact): fact["at"] for fact in reversed(evidence.of("end", "refused_call", "accepted"))}
    disturbed = _times([*_disturbances(evidence), *evidence.of("term")])
    for start in evidence.of("start"):
        killed = kills.get(start["pid"], -1.0)
        running = start["at"] <= killed < through.get(_attempt(start), float("inf"))
        undisturbed = all(at > killed for at in disturbed.get(start["pid"], ()))
        if running and undisturbed and types.get(start["run"]) in _SAY_WHEN_THEY_ARE_THROUGH:
            yield start, killed


def _attempt(fact: Fact) -> tuple[str, int]:
    return fact["run"], fact["attempt"]


def _own_process(evidence: Evidence, run: str, attempt: int) -> bool:
    """Whether this attempt wrote from a process that is no worker: an isolated one, whose death costs the worker nothing."""
    workers = {fact["pid"] for fact in evidence.of("born")}
    return any(fact["pid"] not in workers for fact in evidence.of("start") if _attempt(fact) == (run, attempt))


def quiet_logs(evidence: Evidence) -> Iterator[str]:
    """I10: no deadlock, no error of ours, no process that ended by itself, no answer but those that are foreseen."""
    for name, text in evidence.logs.items():
        for pattern, what in _LOUD.items():
            if times := len(re.findall(pattern, text)):
                yield f"{times} x {what} in the log of {name}"
    for status, times in evidence.statuses.items():
        if status >= 500 and status not in (503, 507):
            yield f"{times} answers {status}"
    for fact in evidence.of("exit"):
        if not evidence.of("poison") and not _found_no_database(evidence, fact):
            yield f"{fact['name']} ended by itself with {fact['code']}"


def _found_no_database(evidence: Evidence, end: Fact) -> bool:
    """Whether it ended at its very start without a database, as it says; whoever runs it starts it again."""
    says_so = "The database cannot be reached" in evidence.logs.get(end["name"], "")
    return end["code"] == 1 and end["age"] < _STARTING and says_so


def outages(evidence: Evidence) -> Iterator[tuple[float, float]]:
    """Since when and until when the database was away, each time."""
    down = None
    for fact in evidence.of("down", "up"):
        if fact["what"] == "down":
            down = fact["at"]
        elif down is not None:
            yield down, fact["at"]
            down = None


_STARTING = 5.0

_LOUD = {
    r"deadlock detected": "deadlock",
    r"Traceback \(most recent call last\)": "a traceback",
    r"never retrieved": "a forgotten error",
}


def no_secret(evidence: Evidence) -> Iterator[str]:
    """I11: what opens the door is in no log and in no row."""
    for secret in evidence.secrets:
        yield from (f"the key is in the log of {name}" for name, text in evidence.logs.items() if secret in text)
        if secret in evidence.dump:
            yield "the key is in the database"


def nothing_grows(evidence: Evidence) -> Iterator[str]:
    """I12: processes that lived through it use no more than they did once they were warm."""
    for name, before in evidence.before.items():
        after = evidence.after.get(name)
        if after is None:
            continue
        if after.memory > before.memory * (1 + _ROOM) + _SLACK_MEMORY:
            yield f"{name} grew from {before.memory >> 20} to {after.memory >> 20} MiB"
        if after.files > before.files * (1 + _ROOM) + _SLACK_FILES:
            yield f"{name} has {after.files} files open, and had {before.files}"


INVARIANTS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "I1": nothing_lost,
    "I2": one_end,
    "I3": one_active_run,
    "I4": no_zombie,
    "I5": effects_once,
    "I6": no_phantom,
    "I7": due_times_decided,
    "I8": told_by_mail,
    "I9": charged_as_crashed,
    "I10": quiet_logs,
    "I11": no_secret,
    "I12": nothing_grows,
}


def _by_run(rows: list[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["run"]].append(row)
    return grouped


def _times(facts: list[Fact]) -> dict[int, list[float]]:
    times: dict[int, list[float]] = defaultdict(list)
    for fact in facts:
        times[fact["pid"]].append(fact["at"])
    return times


def _pid(worker: str | None) -> int | None:
    return int(worker.rpartition(":")[2]) if worker else None
