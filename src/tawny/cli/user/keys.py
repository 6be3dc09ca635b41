"""`tawny keys`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from tawny.cli.say import say
from tawny.cli.user import options, show
from tawny.cli.user.server import connected, short
from tawny.errors import NotFound

app = options.group("List, make and revoke the agent keys of a team. Only a user may: run `tawny login --user` first.")

Permissions = Annotated[
    list[str], typer.Option(metavar="P", help="What it may do, such as jobs:read. Once for each, or with commas between.")
]
ExpiresIn = Annotated[
    str | None, typer.Option(metavar="1h", help="How long it is good: 30m, 1h, 7d. For ever unless given.", show_default=False)
]


@app.command("list")
def list_(team: options.Team = None, profile: options.Profile = None, as_json: options.Json = False) -> None:
    """List the keys of a team, also those that are not good any more. Needs an admin who ran `tawny login --user`.

    \b
    Example:
      tawny keys list
    """
    with connected(profile, team=team, user=True) as server:
        keys = server.get(f"/v1/teams/{server.team_id()}/keys")["keys"]
    if as_json:
        show.document(keys)
        return
    if not keys:
        say("No keys yet. Make one: tawny keys create ci --permission jobs:read,jobs:write")
        return
    rows = [
        (
            short(key["id"]),
            key["name"],
            f"…{key['last4']}",
            _state(key),
            show.ago(key["last_used_at"]),
            " ".join(key["permissions"]),
        )
        for key in keys
    ]
    columns = ["Id", "Name", "Ends in", "State", "Used", "Permissions"]
    show.table(columns, rows, to=show.console(), cut=["Permissions", "Name"])


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] is None:
        return "good"
    expires = datetime.fromisoformat(key["expires_at"])
    return "expired" if expires <= datetime.now(UTC) else f"ends {show.ago(expires)}"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    permission: Permissions,
    expires_in: ExpiresIn = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Make an agent key. Its text is shown once, alone on stdout. Needs an admin who ran `tawny login --user`.

    \b
    Example:
      tawny keys create ci --permission jobs:read,jobs:write --expires-in 30d
    """
    body: dict[str, Any] = {"name": name, "permissions": [word.strip() for words in permission for word in words.split(",")]}
    if expires_in is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=options.seconds(expires_in, "--expires-in"))).isoformat()
    with connected(profile, team=team, user=True) as server:
        made = server.send("POST", f"/v1/teams/{server.team_id()}/keys", **body)
    if as_json:
        show.document(made)
        return
    print(made["api_key"])
    say(f"Made the key {name} ({made['id']}). It is shown only now. Next: set it as TAWNY_API_KEY where it is used.")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `tawny keys list` shows it.")],
    team: options.Team = None,
    yes: options.Yes = False,
    profile: options.Profile = None,
) -> None:
    """Revoke a key: it is refused everywhere within a second. Needs an admin who ran `tawny login --user`. Asks first.

    \b
    Example:
      tawny keys revoke 3f9a2c1b
    """
    with connected(profile, team=team, user=True) as server:
        path = f"/v1/teams/{server.team_id()}/keys"
        found = [each for each in server.get(path)["keys"] if len(key) >= 4 and each["id"].endswith(key.lower())]
        if len(found) != 1:
            raise NotFound(f"There is no one key with the id {key!r}; `tawny keys list` shows them.")
        show.confirm(f"Revoke the key {show.clean(found[0]['name'])} (…{found[0]['last4']})?", yes=yes)
        server.send("DELETE", f"{path}/{found[0]['id']}")
    say(f"Revoked the key {show.clean(found[0]['name'])}.")
