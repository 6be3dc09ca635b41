"""`tawny integrations`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tawny.cli.say import say
from tawny.cli.user import options, show
from tawny.cli.user.params import text_of
from tawny.cli.user.server import Server, connected

app = options.group("Connect projects to other services.")

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="The service, such as revenuecat.")]
ApiKey = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="The same as --config api_key=KEY: a key of the service, not of Tawny.", show_default=False),
]
Config = Annotated[
    list[str] | None,
    typer.Option(
        metavar="K=V", help="What the service asks for. K=@FILE reads it from a file, K=- from stdin.", show_default=False
    ),
]


@app.command("list")
def list_(
    project: options.Project = None, team: options.Team = None, profile: options.Profile = None, as_json: options.Json = False
) -> None:
    """List what a project is connected to. Of each secret four characters are shown.

    \b
    Example:
      tawny integrations list --project shop
    """
    with connected(profile, team=team) as server:
        found = server.get(_path(server, project))["integrations"]
        offered = [] if found else server.get(f"{_path(server, project)}/providers")["providers"]
    if as_json:
        show.document(found)
        return
    if not found:
        names = ", ".join(provider["id"] for provider in offered)
        say(f"Not connected to anything yet; there is {names}. Connect: tawny integrations add {offered[0]['id']}")
        return
    rows = [
        (
            each["provider"],
            "on" if each["enabled"] else "off",
            show.ago(each["updated_at"]),
            " ".join(f"{key}={value}" for key, value in each["config"].items()),
        )
        for each in found
    ]
    show.table(["Provider", "State", "Changed", "Config"], rows, to=show.console(), cut=["Config"])


@app.command()
def add(
    provider: Provider,
    config: Config = None,
    api_key: ApiKey = None,
    project: options.Project = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Connect a project to a service, and show what to enter there. What is not given is asked for.

    A secret on the command line can be seen by others on this machine; a file or the question cannot.

    \b
    Example:
      tawny integrations add revenuecat --project shop --config api_key=@key.txt
    """
    given = _given(config, api_key)
    with connected(profile, team=team) as server:
        given = _asked(server, _path(server, project), provider, given)
        made = server.send("POST", _path(server, project), provider=provider, config=given)
    _show_setup(made, as_json)


def _asked(server: Server, path: str, provider: str, given: dict[str, str]) -> dict[str, str]:
    """With what is required and was not given, if there is somebody to ask."""
    if not show.interactive():
        return given
    offered = {each["id"]: each["configFields"] for each in server.get(f"{path}/providers")["providers"]}
    missing = [field for field in offered.get(provider, ()) if field["required"] and field["key"] not in given]
    return given | {
        field["key"]: typer.prompt(show.clean(field["label"]), hide_input=field["sensitive"], err=True) for field in missing
    }


@app.command()
def update(
    provider: Provider,
    config: Config = None,
    api_key: ApiKey = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Turn it on or off.", show_default=False)] = None,
    project: options.Project = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Change some of the config of an integration, or turn it off or on.

    \b
    Example:
      tawny integrations update revenuecat --disable
    """
    given = _given(config, api_key)
    if not given and enable is None:
        raise typer.BadParameter("give a --config, --enable or --disable.", param_hint="--config")
    changes: dict[str, Any] = ({"config": given} if given else {}) | ({} if enable is None else {"enabled": enable})
    with connected(profile, team=team) as server:
        changed = server.send("PATCH", f"{_path(server, project)}/{provider}", **changes)
    if as_json:
        show.document(changed)
        return
    say(f"The integration with {provider} is {'on' if changed['enabled'] else 'off'} and up to date.")


@app.command()
def remove(
    provider: Provider,
    project: options.Project = None,
    team: options.Team = None,
    yes: options.Yes = False,
    profile: options.Profile = None,
) -> None:
    """Forget an integration and its secrets. Asks first.

    \b
    Example:
      tawny integrations remove revenuecat --project shop
    """
    with connected(profile, team=team) as server:
        path = f"{_path(server, project)}/{provider}"
        show.confirm(f"Forget the integration with {provider} and its secrets?", yes=yes)
        server.send("DELETE", path)
    say(f"Forgot the integration with {provider}.")


@app.command()
def copy(
    provider: Provider,
    source: Annotated[str, typer.Option("--from", metavar="ID|SLUG", help="The project that is connected already.")],
    project: options.Project = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Connect a project as another one of its team is, and show what to enter at the service.

    \b
    Example:
      tawny integrations copy revenuecat --from shop --project shop-staging
    """
    with connected(profile, team=team) as server:
        source_id = server.project_id(source)
        made = server.send("POST", f"{_path(server, project)}/copy-from/{source_id}", provider=provider)
    _show_setup(made, as_json)


def _path(server: Server, project: str | None) -> str:
    return f"/v1/projects/{server.project_id(project, required=True)}/integrations"


def _given(config: list[str] | None, api_key: str | None) -> dict[str, str]:
    given = {"api_key": api_key} if api_key is not None else {}
    for pair in config or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{pair!r} should look like KEY=VALUE.", param_hint="--config")
        given[key] = text_of(value, "--config").strip()
    return given


def _show_setup(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.document(made)
        return
    setup = made["webhook_setup"]
    say(f"Connected to {made['provider']}. Next: enter this there, so that it calls.")
    show.facts(
        {
            "Webhook URL": setup["webhook_url"],
            "Authorization header": setup["authorization_header"],
            "Environment": setup["environment"],
            "Events": setup["events_filter"],
        },
        to=show.console(),
    )
