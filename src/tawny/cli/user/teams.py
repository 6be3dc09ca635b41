"""`tawny teams`."""

from __future__ import annotations

from typing import Annotated

import typer

from tawny.cli.say import say
from tawny.cli.user import options, profiles, show
from tawny.cli.user.profiles import Named
from tawny.cli.user.server import connected
from tawny.errors import SettingsError

app = options.group("List your teams; choose one.")


@app.command("list")
def list_(profile: options.Profile = None, as_json: options.Json = False) -> None:
    """List the teams that you are in. A key is in one; `tawny login --user` shows them all.

    \b
    Example:
      tawny teams list
    """
    with connected(profile) as server:
        teams, kept = server.get("/v1/teams")["teams"], server.profile
    if as_json:
        show.document(teams)
        return
    if not teams:
        say("You are in no team. Ask an admin of one to invite you.")
        return
    mine = kept.team.id if kept and kept.team else None
    rows = [("*" if team["id"] == mine else "", team["slug"], team["name"], team["role"], team["id"]) for team in teams]
    show.table(["", "Slug", "Name", "Role", "Id"], rows, to=show.console(), cut=["Name"])


@app.command()
def use(
    team: Annotated[str, typer.Argument(metavar="ID|SLUG", help="One of `tawny teams list`.")],
    profile: options.Profile = None,
) -> None:
    """Choose the team that is meant when you name none. The project that you chose is forgotten.

    \b
    Example:
      tawny teams use acme
    """
    with connected(profile, team=team) as server:
        if server.profile is None:
            raise not_remembered()
        found = server.find_team(team)
        project = server.profile.project if server.profile.team == found else None
        profiles.remember(server.access.name, team=Named(found.id, found.slug), project=project)
    say(f"The team is {found.slug} from now on. Next: `tawny projects use` chooses a project.")


def not_remembered() -> SettingsError:
    """Why nothing can be chosen."""
    return SettingsError("The environment says who you are, so nothing is remembered: use --team and --project instead.")
