"""A good little story by hand: everything that may happen while every promise is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.evidence import Evidence, Health, Row
from tests.chaos.ledger import Fact

CALM, KILLED, STOPPED, STUNNED, LEAVING, CUT_OFF = 101, 102, 103, 104, 105, 106
"""Workers, by what happens to them."""

KEY = "tawny_canary"

_STATUSES = {"lost": "pending", "released": "pending", "retrying": "pending", "started": "running"}


@dataclass
class Story:
    """Evidence in the making. What it is told leaves the facts, events and changes that it would have left."""

    facts: list[Fact] = field(default_factory=list)
    evidence: Evidence = field(default_factory=lambda: Evidence(facts=[], runs=[], events=[]))

    def note(self, at: float, what: str, **more: Any) -> None:
        self.facts.append({"what": what, "at": at, **more})

    def told(self) -> Evidence:
        self.evidence.facts = sorted(self.facts, key=lambda fact: fact["at"])
        return self.evidence

    def process(self, at: float, what: str, pid: int) -> None:
        """Something that was done to a worker, or that it did."""
        self.note(at, what, pid=pid, name=f"worker-{pid}")

    def outage(self, down: float, up: float) -> None:
        self.note(down, "down", how="fast")
        self.note(up, "up", how="fast")

    def called(self, at: float, name: str, answer: str, **more: Any) -> None:
        self.note(at, "call", call=f"call of {name}")
        self.note(at + 0.01, answer, call=f"call of {name}", seconds=0.01, unsure=0, **more)

    def triggered(self, at: float, run: str, job_type: str = "work", place: str | None = None, answer: str = "ok") -> Tale:
        """A call that made a run. `place`: its slot, one of its own unless given."""
        self.called(at, run, answer, **({"run": run} if answer == "ok" else {}))
        tale = Tale(self, run, job_type, f"{place or run} {job_type}")
        tale.becomes("triggered")
        return tale


class Tale:
    """What becomes of one run."""

    def __init__(self, story: Story, run: str, job_type: str, slot: str) -> None:
        self._story = story
        self._seq = 0
        self._pid = 0
        self.row: Row = {
            "id": run,
            "call": f"call of {run}",
            "slot": slot,
            "job_type": job_type,
            "status": None,
            "error_code": None,
            "attempt": 0,
            "crashes": 0,
            "result_of": None,
            "notify": False,
            "schedule": None,
            "due": None,
        }
        story.evidence.runs.append(self.row)

    def says(self, kind: str, attempt: int | None = None, worker: str | None = None) -> None:
        """An event that changes nothing."""
        self._seq += 1
        attempt = self.row["attempt"] if attempt is None else attempt
        event = {"run": self.row["id"], "seq": self._seq, "kind": kind, "attempt": attempt, "worker": worker}
        self._story.evidence.events.append(event)

    def becomes(self, kind: str, worker: str | None = None) -> None:
        """An event, and the status that comes with it."""
        new = "pending" if kind == "triggered" else _STATUSES.get(kind, kind)
        self.says(kind, worker=worker)
        change = {"run": self.row["id"], "old": self.row["status"], "new": new, "attempt": self.row["attempt"], "stale": False}
        self._story.evidence.audit.append(change)
        self.row["status"] = new

    def claimed(self, pid: int) -> None:
        self.row["attempt"] += 1
        self._pid = pid
        self.becomes("started", worker=f"here:{pid}")

    def starts(self, at: float, pid: int) -> None:
        self.claimed(pid)
        self.note(at, "start")

    def note(self, at: float, what: str, **more: Any) -> None:
        """What its attempt of now notes itself."""
        fact = {"run": self.row["id"], "attempt": self.row["attempt"], "pid": self._pid}
        self._story.note(at, what, **fact | more)

    def steps(self, at: float, **more: Any) -> None:
        self.note(at, "step", **{"step": 1, "checked": at, **more})

    def ends(self, at: float) -> None:
        self.note(at, "end")
        if self.row["job_type"] == "book":
            self._story.evidence.effects.append(self.row["id"])
        self.row["result_of"] = self.row["attempt"]
        self.becomes("completed")

    def goes(self, at: float, pid: int) -> None:
        """A start, a step and an end."""
        self.starts(at, pid)
        self.steps(at + 0.1)
        self.ends(at + 0.2)


# The scenes


def calm_work(story: Story) -> None:
    """Two runs in one slot, one after the other, and an effect."""
    story.process(0.0, "born", CALM)
    story.triggered(1.0, "first", place="north").goes(1.1, CALM)
    story.triggered(1.5, "second", place="north").goes(1.6, CALM)
    story.triggered(2.0, "booked", "book").goes(2.1, CALM)


def kill(story: Story) -> None:
    """Of all that a killed worker had to do with, one run was running on it."""
    story.process(0.0, "born", KILLED)
    unheard = story.triggered(10.0, "unheard")
    unheard.claimed(KILLED)  # the reply was lost, and nothing started
    unheard.becomes("released")
    finished, cancelling, raised = (story.triggered(10.1, run, "book") for run in ("finished", "cancelling", "raised"))
    finished.goes(10.2, KILLED)
    for run in (cancelling, raised):
        run.starts(10.3, KILLED)
        run.steps(10.4)
    cancelling.becomes("cancelled")
    raised.becomes("retrying")
    gave_up = story.triggered(10.5, "gave up")
    gave_up.starts(10.6, KILLED)
    gave_up.note(10.8, "refused_call", call="progress")
    gave_up.becomes("released")
    killed = story.triggered(10.9, "killed", "stride")
    killed.starts(11.0, KILLED)
    killed.steps(11.1)
    story.process(12.0, "kill", KILLED)
    killed.becomes("lost")
    for run in (unheard, raised, gave_up):
        run.goes(12.5, CALM)
    killed.goes(14.4, CALM)


def stop(story: Story) -> None:
    """A worker is stopped for longer than its lease between a look and an act, and its charge is taken back."""
    story.process(0.0, "born", STOPPED)
    stopped = story.triggered(20.0, "stopped")
    stopped.starts(20.1, STOPPED)
    story.process(20.3, "stop", STOPPED)
    stopped.becomes("lost")
    stopped.starts(23.0, CALM)
    stopped.steps(23.1)
    story.process(23.4, "cont", STOPPED)
    story.note(23.41, "step", run="stopped", attempt=1, pid=STOPPED, step=2, checked=20.29)
    story.note(23.42, "refused_call", run="stopped", attempt=1, pid=STOPPED, call="progress")
    stopped.says("released", attempt=1)
    stopped.ends(23.5)


def stop_and_kill(story: Story) -> None:
    """A worker is stopped, comes back, gives back a run whose handler has raised, and is killed."""
    story.process(0.0, "born", STUNNED)
    stunned = story.triggered(25.0, "stunned", "book")
    stunned.starts(25.1, STUNNED)
    story.process(25.2, "stop", STUNNED)
    stunned.becomes("lost")
    story.process(28.2, "cont", STUNNED)
    stunned.says("released", attempt=1)
    story.process(28.5, "kill", STUNNED)
    stunned.goes(28.6, CALM)


def goodbye(story: Story) -> None:
    """A worker that is told to stop gives its run back, and is killed all the same."""
    story.process(0.0, "born", LEAVING)
    handed_back = story.triggered(30.0, "handed back")
    handed_back.starts(30.1, LEAVING)
    story.process(30.2, "term", LEAVING)
    handed_back.becomes("released")
    handed_back.goes(30.9, CALM)
    story.process(31.2, "kill", LEAVING)


def outage(story: Story) -> None:
    """While the database is away a worker loses its lease, and another process does not come up."""
    story.process(0.0, "born", CUT_OFF)
    cut_off = story.triggered(39.8, "cut off", "book")
    cut_off.starts(39.9, CUT_OFF)
    story.outage(40.0, 41.8)
    story.note(40.5, "exit", pid=107, name="worker-107", code=1, age=0.4)
    cut_off.becomes("released")
    cut_off.goes(42.5, CALM)
    story.process(43.0, "kill", CUT_OFF)


def cancel(story: Story) -> None:
    cancelled = story.triggered(50.0, "cancelled")
    cancelled.starts(50.1, CALM)
    story.note(50.2, "cancel", run="cancelled")
    cancelled.says("cancel_requested")
    cancelled.becomes("cancelled")


def calls(story: Story) -> None:
    """One that met another run, and two that were never answered, of which one made a run."""
    story.called(60.0, "met", "refused", status=409)
    story.triggered(60.1, "unsure", answer="info").goes(60.3, CALM)
    story.called(60.2, "unmade", "info")


def schedule(story: Story) -> None:
    """Three due times: a run, one that is in the way of the next, and one that nobody was there for."""
    evidence = story.evidence
    evidence.clock, evidence.stopped = 1_000.0, 1_063.5
    evidence.schedules.append({"id": "secondly", "made": 1_060.4, "next": 1_064.0})
    chime = Tale(story, "chimed", "chime", "south chime")
    chime.row |= {"call": None, "schedule": "secondly", "due": 1_061.0}
    chime.becomes("triggered")
    chime.goes(61.2, CALM)
    for due, decision, run in ((1_061.0, "started", "chimed"), (1_062.0, "skipped_active", "chimed"), (1_063.0, "missed", None)):
        tick = {"schedule": "secondly", "due": due, "decision": decision, "run": run, "decided": due + 0.1}
        evidence.ticks.append(tick | {"until": None, "times": 1})


def surroundings(story: Story) -> None:
    evidence = story.evidence
    evidence.logs = {"api": "listening", f"worker-{CALM}": "enlisted", "postgres": "ready to accept connections"}
    evidence.logs["worker-107"] = "tawny: The database cannot be reached: connection refused."
    evidence.statuses = {201: 14, 409: 1, 503: 3}
    evidence.secrets = [KEY]
    evidence.dump = f"(first,completed)\n{KEY[:6]}…"
    evidence.before = {f"worker-{CALM} {CALM}": Health(60 << 20, 20), f"worker-{KILLED} {KILLED}": Health(60 << 20, 20)}
    evidence.after = {f"worker-{CALM} {CALM}": Health(61 << 20, 24)}


def told(story: Story) -> None:
    """Of two runs somebody is told; of one again, since the mail server died before it had answered."""
    story.note(80.0, "mail server down")
    for run, unsure in (("told", 0), ("told again", 1)):
        tale = story.triggered(80.1, run)
        tale.row["notify"] = True
        tale.goes(80.2, CALM)
        story.evidence.mails.append({"run": run, "status": "delivered", "tries": 1 + unsure, "unsure": unsure})
        for at in range(1 + unsure):
            story.note(80.5 + at, "mail", run=run, said="completed", to=["you@localhost"], pid=1)


SCENES: tuple[Callable[[Story], None], ...] = (
    *(calm_work, kill, stop, stop_and_kill, goodbye, told),
    *(outage, cancel, calls, schedule, surroundings),
)


def good_story() -> Evidence:
    story = Story()
    for scene in SCENES:
        scene(story)
    return story.told()
