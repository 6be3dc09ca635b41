"""The client for programs: `Client`, and `AsyncClient` with the same methods to be awaited.

    with Client("http://127.0.0.1:8585", api_key="tawny_…") as tawny:
        run = tawny.jobs.trigger("invoice_export", project_id=project_id, params={"month": "2026-01"})
        run = tawny.jobs.wait(run.id)

It needs `httpx`, and nothing of the server. What the API refuses is raised as the error of `tawny.errors` with its status and
code; a server that cannot be reached as `Unreachable`.
"""

from tawny.client.aio import AsyncClient
from tawny.client.answers import Event, JobType, LogLine, Project, Run, Team, Whoami
from tawny.client.sync import Client
from tawny.errors import Unreachable

__all__ = ["AsyncClient", "Client", "Event", "JobType", "LogLine", "Project", "Run", "Team", "Unreachable", "Whoami"]
