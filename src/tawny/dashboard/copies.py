"""The same run once more, for a shell or a program. Secrets are masked, and the key is named and not written out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: where, and with which params."""

    url: str
    team_id: UUID
    job_type: str
    project_id: str | None
    params: Mapping[str, Any]


def copies(wanted: Wanted) -> dict[str, str]:
    """By the word for who would use it."""
    return {"curl": _curl(wanted), "CLI": _cli(wanted), "Python": _python(wanted)}


def _curl(wanted: Wanted) -> str:
    body = json.dumps({"job_type": wanted.job_type, "project_id": wanted.project_id, "params": wanted.params}, ensure_ascii=False)
    return (
        f"curl -sS {shlex.quote(f'{wanted.url}/v1/teams/{wanted.team_id}/jobs/trigger')} \\\n"
        f'  -H "Authorization: Bearer $TAWNY_API_KEY" -H "Content-Type: application/json" \\\n  -d {shlex.quote(body)}'
    )


def _cli(wanted: Wanted) -> str:
    given = [f" \\\n  --param {shlex.quote(_param(name, value))}" for name, value in wanted.params.items()]
    project = f" --project {wanted.project_id}" if wanted.project_id else ""
    return f"tawny jobs trigger {wanted.job_type} --team {wanted.team_id}{project} --wait{''.join(given)}"


def _param(name: str, value: Any) -> str:
    return f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value, ensure_ascii=False)}"


def _python(wanted: Wanted) -> str:
    return (
        "import os\n\nfrom tawny.client import Client\n\n"
        f'with Client({wanted.url!r}, os.environ["TAWNY_API_KEY"], team_id="{wanted.team_id}") as client:\n'
        f"    run = client.jobs.trigger({wanted.job_type!r}, project_id={wanted.project_id!r}, params={dict(wanted.params)!r})\n"
        "    print(run.id, run.status)"
    )
