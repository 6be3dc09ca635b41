"""The server that a command talks to: which one, as whom, and which team, project or run is meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import typer

from tawny.cli.user import profiles
from tawny.cli.user.profiles import Named, Profile
from tawny.errors import Forbidden, NotFound, SettingsError, Unauthenticated

if TYPE_CHECKING:
    from tawny.client import Client

LOCAL: Final = "http://127.0.0.1:8585"
"""Where `tawny serve` listens unless told otherwise."""

PATIENCE: Final = 5.0
"""Seconds for which a command tries to reach a server that does not answer."""

LOOKED_THROUGH: Final = 1_000
"""How many of the newest runs are looked through for one that is named by a part of its id."""


@dataclass(frozen=True, slots=True)
class Access:
    """An address, what to show there, and the profile that both are from: None when they are from the environment."""

    url: str
    credential: str
    name: str
    profile: Profile | None


def access(profile: str | None, *, team: str | None = None, user: bool = False) -> Access:
    """Decide as whom to talk to which server.

    A profile that is named on the command line comes first, then TAWNY_URL and TAWNY_API_KEY, then the remembered profile.
    A profile may have both a key and a session: the key is used, unless a `user` is needed or the `team` is another one.
    """
    name = profiles.chosen(profile)
    known = profiles.load(name)
    if profile is None and (given := _of_environment(name, known)):
        return given
    if known is None:
        raise Unauthenticated(
            f"You are not signed in{_as(name)}: run `tawny login{_option(name)}`, or set TAWNY_URL and TAWNY_API_KEY.",
            code="not_signed_in",
        )
    return Access(known.url, _credential(name, known, team=team, user=user), name, known)


def _of_environment(name: str, known: Profile | None) -> Access | None:
    url, key = os.environ.get("TAWNY_URL", "").rstrip("/"), os.environ.get("TAWNY_API_KEY")
    if key:
        return Access(_checked(url or (known.url if known else LOCAL), "TAWNY_URL"), key, name, None)
    if url and (known is None or known.url != url):
        # The key of one server is never sent to another one.
        raise Unauthenticated(f"TAWNY_URL is {url}, but there is no key for it: set TAWNY_API_KEY as well.", code="not_signed_in")
    return None


def _credential(name: str, known: Profile, *, team: str | None, user: bool) -> str:
    if user and known.token is None:
        raise Forbidden(
            f"Only a user can do this, and you are signed in with a key: run `tawny login --user{_option(name)}` first.",
            code="user_required",
        )
    meant = team or (known.team.id if known.team else None)
    elsewhere = meant is not None and known.key_team is not None and meant not in (known.key_team.id, known.key_team.slug)
    credential = known.token if user or (elsewhere and known.token) else known.api_key or known.token
    if credential is None:
        raise Unauthenticated(f"There is no key{_as(name)}: run `tawny login{_option(name)}`.", code="not_signed_in")
    return credential


def _as(name: str) -> str:
    return "" if name == profiles.DEFAULT else f" as {name}"


def _option(name: str) -> str:
    return "" if name == profiles.DEFAULT else f" --profile {name}"


def _checked(url: str, what: str) -> str:
    from tawny.client.transport import check_url

    try:
        return check_url(url)
    except ValueError as error:
        raise SettingsError(f"{what}: {error}") from None


@contextmanager
def anonymous(url: str) -> Iterator[Client]:
    """A client without a credential."""
    from tawny.client import Client

    with Client(_checked(url, "--url"), patience=PATIENCE) as client:
        yield client


@contextmanager
def connected(
    profile: str | None, *, team: str | None = None, user: bool = False, patience: float = PATIENCE
) -> Iterator[Server]:
    """A client of the server that is meant."""
    from tawny.client import Client

    found = access(profile, team=team, user=user)
    with Client(found.url, found.credential, patience=patience) as client:
        yield Server(client, found, team)


class Server:
    """A client, and what its profile remembers. `team` is what the command line says, if anything."""

    def __init__(self, client: Client, found: Access, team: str | None = None) -> None:
        self.client = client
        self.access = found
        self._team = team

    @property
    def profile(self) -> Profile | None:
        return self.access.profile

    def get(self, path: str, **query: Any) -> Any:
        return self.client.request("GET", path, query=query)

    def send(self, method: Literal["POST", "PATCH", "DELETE"], path: str, **body: Any) -> Any:
        return self.client.request(method, path, body=body or None)

    def team_id(self) -> str:
        """The team that is meant: the one named, the one that was chosen, or the only one."""
        if self._team is None:
            remembered = self.profile.team if self.profile else None
            return remembered.id if remembered else self._only_team()
        return self.find_team(self._team).id

    def _only_team(self) -> str:
        teams = self.client.teams()
        if len(teams) != 1:
            slugs = ", ".join(team.slug for team in teams) or "none"
            raise typer.BadParameter(
                f"name one of your teams: {slugs}; or choose one with `tawny teams use`.", param_hint="--team"
            )
        return teams[0].id

    def find_team(self, text: str) -> Named:
        """The team with this id or slug."""
        return _one(text, [Named(team.id, team.slug) for team in self.client.teams()], "team", "`tawny teams list` shows yours.")

    def project_id(self, text: str | None, *, required: bool = False) -> str | None:
        """The project that is meant: the one named, or the one that was chosen if it is of this team."""
        if text is not None:
            return text if is_uuid(text) else self.find_project(text).id
        remembered = self.profile.project if self.profile and self._team is None else None
        if remembered is None and required:
            raise typer.BadParameter("name a project, or choose one with `tawny projects use`.", param_hint="--project")
        return remembered.id if remembered else None

    def find_project(self, text: str) -> Named:
        """The project with this id or slug in the team that is meant."""
        projects = [Named(project.id, project.slug) for project in self.client.projects(self.team_id())]
        return _one(text, projects, "project", "`tawny projects list` shows what there is.")

    def slugs(self) -> dict[str, str]:
        """The slugs of the team's projects by their ids; none for who may not see them."""
        try:
            return {project.id: project.slug for project in self.client.projects(self.team_id())}
        except Forbidden:
            return {}

    def run_id(self, text: str) -> str:
        """The id of the run that is meant: itself, or the end of it as lists show it."""
        if is_uuid(text):
            return text
        if not re.fullmatch(r"[0-9a-fA-F-]{4,36}", text):
            raise typer.BadParameter(f"{text!r} is neither an id nor the end of one, of at least 4 characters.", param_hint="RUN")
        ids = [run.id for run in islice(self.client.jobs.iter(team_id=self.team_id(), page=200), LOOKED_THROUGH)]
        found = [run_id for run_id in ids if run_id.endswith(text.lower())]
        if len(found) > 1:
            raise typer.BadParameter(f"{text!r} is the end of several runs: {', '.join(found[:3])}.", param_hint="RUN")
        if not found:
            raise NotFound(
                f"None of your newest {LOOKED_THROUGH:,} runs has an id that ends in {text!r}; `tawny jobs list` shows them."
            )
        return found[0]


def is_uuid(text: str) -> bool:
    """Whether this is a whole id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == 36


def short(some_id: str) -> str:
    """The end of an id, which tells runs of the same minute apart and can be given to every command."""
    return some_id[-8:]


def _one(text: str, offered: Sequence[Named], what: str, advice: str) -> Named:
    found = next((each for each in offered if text in (each.id, each.slug)), None)
    if found is None:
        raise NotFound(f"There is no {what} {text!r} for you; {advice}")
    return found
