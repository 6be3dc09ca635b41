"""`tawny projects`."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from tawny.cli.say import say
from tawny.cli.user import options, profiles, show
from tawny.cli.user.profiles import Named
from tawny.cli.user.server import connected
from tawny.cli.user.teams import not_remembered

app = options.group("List, make, rename and delete projects; choose one.")

Which = Annotated[str, typer.Argument(metavar="ID|SLUG", help="One of `tawny projects list`.")]


@app.command("list")
def list_(team: options.Team = None, profile: options.Profile = None, as_json: options.Json = False) -> None:
    """List the projects of a team. The one with a * is meant when you name none.

    \b
    Example:
      tawny projects list
    """
    with connected(profile, team=team) as server:
        projects = server.get("/v1/projects", team_id=server.team_id())["projects"]
        mine = server.project_id(None)
    if as_json:
        show.document(projects)
        return
    if not projects:
        say("No projects yet. Make one: tawny projects create shop")
        return
    rows = [
        ("*" if project["id"] == mine else "", project["slug"], project["name"], show.ago(project["created_at"]), project["id"])
        for project in projects
    ]
    show.table(["", "Slug", "Name", "Made", "Id"], rows, to=show.console(), cut=["Name"])


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    slug: Annotated[str | None, typer.Option(metavar="SLUG", help="Made of the name unless given.", show_default=False)] = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Make a project. The first one of a team is also chosen.

    \b
    Example:
      tawny projects create "The shop" --slug shop
    """
    slug = slug or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
    with connected(profile, team=team) as server:
        made = server.send("POST", "/v1/projects", team_id=server.team_id(), name=name, slug=slug)
        if server.profile and server.profile.project is None and team is None:
            profiles.remember(server.access.name, project=Named(made["id"], made["slug"]))
    if as_json:
        show.document(made)
        return
    say(f"Made the project {made['slug']} ({made['id']}). Next: `tawny projects use {made['slug']}` chooses it.")


@app.command()
def use(project: Which, profile: options.Profile = None) -> None:
    """Choose the project that is meant when you name none.

    \b
    Example:
      tawny projects use shop
    """
    with connected(profile) as server:
        if server.profile is None:
            raise not_remembered()
        found = server.find_project(project)
        profiles.remember(server.access.name, project=found)
    say(f"The project is {found.slug} from now on. Next: `tawny jobs types` shows what you can run.")


@app.command()
def rename(
    project: Which,
    name: Annotated[str | None, typer.Option(help="The new name.", show_default=False)] = None,
    slug: Annotated[str | None, typer.Option(help="The new slug.", show_default=False)] = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Give a project another name or slug. Its id stays.

    \b
    Example:
      tawny projects rename shop --name "The old shop" --slug old-shop
    """
    if name is None and slug is None:
        raise typer.BadParameter("give a --name, a --slug or both.", param_hint="--name")
    changes = {key: value for key, value in (("name", name), ("slug", slug)) if value is not None}
    with connected(profile, team=team) as server:
        changed = server.send("PATCH", f"/v1/projects/{server.project_id(project)}", **changes)
        if server.profile and server.profile.project and server.profile.project.id == changed["id"]:
            profiles.remember(server.access.name, project=Named(changed["id"], changed["slug"]))
    if as_json:
        show.document(changed)
        return
    say(f"The project is now called {show.clean(changed['name'])}, with the slug {changed['slug']}.")


@app.command()
def delete(project: Which, team: options.Team = None, yes: options.Yes = False, profile: options.Profile = None) -> None:
    """Delete a project, and cancel its active runs. Asks first.

    \b
    Example:
      tawny projects delete old-shop
    """
    with connected(profile, team=team) as server:
        project_id = server.project_id(project)
        show.confirm(f"Delete the project {project} and cancel its active runs?", yes=yes)
        server.send("DELETE", f"/v1/projects/{project_id}")
        if server.profile and server.profile.project and server.profile.project.id == project_id:
            profiles.remember(server.access.name, project=None)
    say(f"Deleted the project {project}.")
