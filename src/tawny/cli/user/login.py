"""`tawny login`, `logout` and `whoami`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tawny.cli.say import say
from tawny.cli.user import options, profiles, show
from tawny.cli.user.profiles import Named, Profile
from tawny.cli.user.server import LOCAL, access, anonymous, connected
from tawny.errors import InvalidRequest, TawnyError

if TYPE_CHECKING:
    from tawny.client import Client

Url = Annotated[str | None, typer.Option(metavar="URL", help=f"The address of the server ({LOCAL}).", show_default=False)]
Email = Annotated[str | None, typer.Option(metavar="EMAIL", help="Your address; a code is mailed there.", show_default=False)]
Code = Annotated[str | None, typer.Option(metavar="DIGITS", help="The code, if you have it already.", show_default=False)]
AsUser = Annotated[bool, typer.Option("--user", help="Sign in as yourself for 7 days, to manage keys. Your key stays as it is.")]


def login(
    url: Url = None,
    email: Email = None,
    code: Code = None,
    team: options.Team = None,
    as_user: AsUser = False,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Sign in by a code that is mailed to you, and remember it.

    You get an agent key of one team, which is good until it is revoked. It does what you may do, except to manage keys: for that,
    --user signs you in as yourself for 7 days.

    Without a terminal, call it twice: with --url and --email, which mails the code, and then with --code as well.

    \b
    Example:
      tawny login --url https://tawny.example.com --email you@example.com
    """
    name = profiles.chosen(profile)
    known = profiles.load(name)
    url = url or _asked_url(known)
    email = email or _asked("Your e-mail address", "--email", default=known.email if known else None)
    with anonymous(url) as client:
        if code is None:
            client.request("POST", "/v1/auth/send-code", body={"email": email})
            say(f"A code was mailed to {email}. (Without a mail server it is in the log of `tawny serve`.)")
            if not show.interactive():
                say("Next: run the same command with --code as well.")
                return
            code = show.ask("The code")
        signed_in = _as_user(client, email, code, team, known) if as_user else _as_key(client, email, code, team)
    kept = _merged(known, Profile(client.url, email, **signed_in))
    profiles.save(name, kept)
    _greet(name, kept, as_json)


def _asked_url(known: Profile | None) -> str:
    default = os.environ.get("TAWNY_URL") or (known.url if known else LOCAL)
    return show.ask("The server", default) if show.interactive() else default


def _asked(question: str, option: str, default: str | None = None) -> str:
    if show.interactive():
        return show.ask(question, default)
    raise typer.BadParameter("there is no terminal to ask at; give it on the command line.", param_hint=option)


def _as_key(client: Client, email: str, code: str, team: str | None) -> dict[str, Any]:
    try:
        answer = _agent_login(client, email, code, team_id=None)
    except InvalidRequest as error:
        if error.code != "team_required":
            raise
        offered = [Named(each["id"], each["slug"]) for each in error.details["teams"]]
        answer = _agent_login(client, email, code, team_id=_chosen(offered, team).id)
    of = Named(answer["team"]["id"], answer["team"]["slug"])
    return {"api_key": answer["api_key"], "key_team": of, "team": of}


def _agent_login(client: Client, email: str, code: str, *, team_id: str | None) -> Any:
    return client.request("POST", "/v1/auth/agent-login", body={"email": email, "code": code, "team_id": team_id})


def _as_user(client: Client, email: str, code: str, team: str | None, known: Profile | None) -> dict[str, Any]:
    answer = client.request("POST", "/v1/auth/verify-code", body={"email": email, "code": code})
    teams = [Named(each["id"], each["slug"]) for each in answer["teams"]]
    return {"token": answer["token"], "team": _chosen_if_any(teams, team, known)}


def _chosen_if_any(teams: list[Named], wanted: str | None, known: Profile | None) -> Named | None:
    """The team that is meant, if that can be told. The code is used up by now, so this refuses nothing."""
    before = known.team if known else None
    if not teams or (wanted is None and before in teams):
        return before if before in teams else None
    try:
        return _chosen(teams, wanted)
    except typer.BadParameter as error:
        say(f"No team is chosen: {error.message} `tawny teams use` does that.")
        return None


def _chosen(teams: list[Named], wanted: str | None) -> Named:
    """The team that is meant; people are asked when there are several."""
    slugs = ", ".join(team.slug for team in teams)
    if len(teams) == 1:
        return teams[0]
    while True:
        if wanted is None and not show.interactive():
            raise typer.BadParameter(f"say which of your teams: {slugs}.", param_hint="--team")
        wanted = wanted or show.ask(f"Which team ({slugs})", teams[0].slug)
        found = next((team for team in teams if wanted in (team.slug, team.id)), None)
        if found is not None:
            return found
        if not show.interactive():
            raise typer.BadParameter(f"you are not in a team {wanted!r}; yours are: {slugs}.", param_hint="--team")
        say(f"You are not in a team {wanted!r}.")
        wanted = None


def _merged(known: Profile | None, new: Profile) -> Profile:
    """A key and a session of the same user on the same server are kept beside each other, and so is what was chosen."""
    if known is None or (known.url, known.email) != (new.url, new.email):
        return new
    team = new.team or known.team
    same_team = team is not None and known.team is not None and team.id == known.team.id
    return Profile(
        new.url,
        new.email,
        new.api_key or known.api_key,
        new.key_team or known.key_team,
        new.token or known.token,
        team,
        known.project if same_team else None,
    )


def _greet(name: str, kept: Profile, as_json: bool) -> None:
    with connected(name) as server:
        if kept.project is None and kept.team is not None:
            kept = _with_only_project(name, kept, kept.team, server.client)
    if as_json:
        show.document(_facts(name, kept))
        return
    team = f", team {kept.team.slug}" if kept.team else ""
    project = f", project {kept.project.slug}" if kept.project else ""
    say(f"Signed in to {kept.url} as {kept.email}{team}{project}. It is remembered in {profiles.shown_place()}.")
    say("Next: `tawny jobs types` shows what you can run.")


def _with_only_project(name: str, kept: Profile, team: Named, client: Client) -> Profile:
    """Choose the team's project if there is but one."""
    try:
        projects = client.projects(team.id)
    except TawnyError:  # signed in is signed in
        return kept
    if len(projects) == 1:
        profiles.remember(name, project=Named(projects[0].id, projects[0].slug))
    return profiles.load(name) or kept


def _facts(name: str, kept: Profile) -> dict[str, Any]:
    return {
        "profile": name,
        "url": kept.url,
        "email": kept.email,
        "team_id": kept.team and kept.team.id,
        "project_id": kept.project and kept.project.id,
    }


def logout(profile: options.Profile = None) -> None:
    """Forget a sign-in on this machine, and end your session if there is one.

    An agent key stays good on the server, for whoever has it: `tawny keys revoke` ends it.

    \b
    Example:
      tawny logout --profile staging
    """
    name = profiles.chosen(profile)
    known = profiles.load(name)
    if known is None:
        say(f"There is nothing to forget: no profile {name}.")
        return
    if known.token is not None:
        _end_session(name)
    profiles.forget(name)
    kept = " The key stays good until it is revoked." if known.api_key else ""
    say(f"Forgot the profile {name} of {known.url}.{kept}")


def _end_session(name: str) -> None:
    try:
        with connected(name, user=True) as server:
            server.send("POST", "/v1/auth/logout")
    except TawnyError as error:
        say(f"The session could not be ended on the server, and ends by itself: {error}")


def whoami(profile: options.Profile = None, as_json: options.Json = False) -> None:
    """Show who you are, on which server, and which team and project are meant when you name none.

    \b
    Example:
      tawny whoami --json
    """
    with connected(profile) as server:
        who, used = server.get("/v1/auth/whoami"), server.access
    if as_json:
        show.document({"url": used.url, "profile": used.name if used.profile else None, **who})
        return
    teams = who.get("teams") or [who["team"]]
    show.facts(
        {
            "Server": used.url,
            "Sign-in": f"profile {used.name}" if used.profile else "the environment",
            "You are": who.get("email") or f"an agent key{_of(used.profile)}",
            "Session": _session(profile) if used.profile else None,
            "Teams" if len(teams) > 1 else "Team": ", ".join(team["slug"] for team in teams) or "none",
            "Default team": used.profile.team.slug if used.profile and used.profile.team and len(teams) > 1 else None,
            "Default project": used.profile.project.slug if used.profile and used.profile.project else None,
            "Permissions": " ".join(who["permissions"]) if "permissions" in who else None,
        },
        to=show.console(),
    )


def _of(profile: Profile | None) -> str:
    return f" of {profile.email}" if profile and profile.email else ""


def _session(profile: str | None) -> str | None:
    """Whether there is a session beside the key."""
    known = access(profile).profile
    return "also signed in as a user" if known and known.token and known.api_key else None
