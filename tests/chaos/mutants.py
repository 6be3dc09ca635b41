"""Tawny with one thing left out: bugs that a jobs server may well have. The suite has to find each of them.

Each is a change to a copy of the source; the product has no switch for any of them. Their numbers are those of the guide.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.plan import Change, Scenario
from tests.chaos.processes import ROOT
from tests.chaos.scenarios import HUNT, SCENARIOS

_OF_A_LIVING_PROJECT = "    where p.id = :project_id and p.team_id = :team_id and p.deleted_at is null\n"
_FINISHES = "as f (id, attempt, status, result, error, code, traceback, delay, progress)\n    join job_runs as r on r.id = f.id"
_UNLESS_ACTIVE = "    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing\n"


@dataclass(frozen=True)
class Mutant:
    number: int
    title: str
    changes: tuple[Change, ...]
    expected: frozenset[str]
    """Invariants of which it has to break at least one."""
    scenario: Scenario = HUNT
    """What finds it."""


def _mutant(number: int, title: str, expected: str, *changes: tuple[str, str, str], scenario: Scenario = HUNT) -> Mutant:
    return Mutant(number, title, tuple(Change(*change) for change in changes), frozenset(expected.split()), scenario)


MUTANTS = {
    mutant.number: mutant
    for mutant in (
        _mutant(
            1,
            "a finish is not fenced by its attempt",
            "I2 I4 I5",
            (
                "runs/queries.sql",
                _FINISHES + " and r.attempt = f.attempt",
                _FINISHES,
            ),
        ),
        _mutant(
            2,
            "a renewal is not fenced: a lease that ran out, or was taken, is renewed",
            "I2 I4",
            (
                "runs/queries.sql",
                """    update workers
    set leased_until = clock_timestamp() + make_interval(secs => :lease), seen_at = clock_timestamp(),
        running = cardinality(:run_ids::uuid[]), pulse_seconds = :pulse, memory_bytes = :memory, draining = :draining
    where id = :worker_id and leased_until > clock_timestamp()
    returning claimed
""",
                """    insert into workers as w (id, name, version, leased_until, running, pulse_seconds, memory_bytes, draining)
    values (
        :worker_id, 'nobody:0', '', clock_timestamp() + make_interval(secs => :lease), cardinality(:run_ids::uuid[]), :pulse,
        :memory, :draining
    )
    on conflict (id) do update set leased_until = excluded.leased_until
    returning claimed
""",
            ),
            ("runs/queries.sql", "coalesce(array_agg(h.id) filter (where r.id is null), '{}') as gone", "'{}'::uuid[] as gone"),
        ),
        _mutant(
            3,
            "a worker does not fence itself when it cannot renew",
            "I4",
            ("workers/attempt.py", "if now() >= self._lease.deadline:", "if False:"),
        ),
        _mutant(
            4,
            "no unique index keeps a slot to one run",
            "I3",
            ("db/migrations/0001_first_light.sql", "create unique index job_runs_one_active", "create index job_runs_one_active"),
            ("db/migrations/0001_first_light.sql", "nulls not distinct where outcome is null;", "where outcome is null;"),
            ("runs/queries.sql", _OF_A_LIVING_PROJECT + _UNLESS_ACTIVE, _OF_A_LIVING_PROJECT),
        ),
        _mutant(
            5,
            "the unique index covers running runs only",
            "I1 I3",
            (
                "db/migrations/0001_first_light.sql",
                "nulls not distinct where outcome is null;",
                "nulls not distinct where status = 'running';",
            ),
            ("runs/queries.sql", _OF_A_LIVING_PROJECT + _UNLESS_ACTIVE, _OF_A_LIVING_PROJECT),
        ),
        _mutant(
            6,
            "idempotency keys are not looked at",
            "I6",
            (
                "runs/trigger.py",
                "return await make_once(conn, wanted, idempotency_key)",
                "return await make_once(conn, wanted, None)",
            ),
        ),
        _mutant(
            7,
            "nobody takes back the runs of dead workers",
            "I1",
            ("runs/reap.py", "rows = await queries.lock_dead_workers(tx, lease=lease)", "rows: list[dict[str, UUID]] = []"),
        ),
        _mutant(
            8,
            "leases are judged by a clock that is three seconds ahead",
            "I4 I9",
            (
                "runs/queries.sql",
                "where w.leased_until < clock_timestamp()\n",
                "where w.leased_until < clock_timestamp() + interval '3 s'\n",
            ),
        ),
        _mutant(
            9,
            "whoever takes itself for the leader decides what is due, and ticks have no key",
            "I7",
            (
                "db/migrations/0005_schedules.sql",
                """    decided_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    primary key (schedule_id, due_at)
""",
                """    decided_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
""",
            ),
            (
                "schedules/queries.sql",
                "    limit :at_most\n    for update skip locked\n) as next",
                "    limit :at_most\n) as next",
            ),
            scenario=SCENARIOS["C6"],
        ),
        _mutant(
            10,
            "what was due while nothing ran is forgotten",
            "I7",
            ("schedules/plan.py", "    missed = due if wanted is None else due[:-1]\n", "    missed: list[datetime] = []\n"),
            scenario=SCENARIOS["C6"],
        ),
        _mutant(
            11,
            "a trigger is acknowledged before its commit is on the disk",
            "I1",
            ("db/pool.py", '"timezone": "UTC",', '"timezone": "UTC", "synchronous_commit": "off",'),
        ),
        _mutant(
            12,
            "a mail is sent before the end that it tells of is committed, and nobody is told after it",
            "I8",
            (
                "workers/writer.py",
                "        ended = await _finish_all(conn, [ending for _, ending in batch if isinstance(ending, Finish)])\n",
                """        import os

        from tawny.mail import Mail
        from tawny.mail.smtp import Smtp

        for attempt, ending in batch:
            subject = f"{attempt.claimed.job_type} {getattr(ending, 'status', 'lost')}"
            try:
                await Smtp(os.environ["TAWNY_SMTP_URL"], None).send(Mail("you@localhost", subject, "", "", id=attempt.run_id))
            except Exception as error:
                log.warning("a mail was not sent", error=type(error).__name__)
        ended = await _finish_all(conn, [ending for _, ending in batch if isinstance(ending, Finish)])
""",
            ),
            ("notifications/queries.sql", "    where e.notify and e.triggered_by like 'manual:api_key:%'", "    where false"),
            scenario=SCENARIOS["C12"],
        ),
    )
}


@contextmanager
def source_of(*changes: Change) -> Iterator[Path]:
    """A folder with a copy of the package, changed like this."""
    with TemporaryDirectory(prefix="tawny-mutant-") as folder:
        shutil.copytree(ROOT / "src/tawny", Path(folder) / "tawny", ignore=shutil.ignore_patterns("__pycache__"))
        for change in changes:
            _apply(Path(folder) / "tawny", change)
        yield Path(folder)


def _apply(package: Path, change: Change) -> None:
    file = package / change.file
    text = file.read_text()
    if text.count(change.old) != 1:
        raise ValueError(f"{change.file} has {text.count(change.old)} places that read {change.old!r}, not one")
    file.write_text(text.replace(change.old, change.new))
