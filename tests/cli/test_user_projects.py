"""`tawny projects`, `teams` and `integrations`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.world import World
from cli.conftest import Person
from tawny.access import PERMISSIONS

pytestmark = pytest.mark.walk

SECRET = "sk_live_0123456789"


@pytest.fixture
async def admin(script: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody whose key may do all that keys may."""
    key = await world.add_key(*(permission for permission in PERMISSIONS if permission != "system:read"))
    monkeypatch.setenv("TAWNY_API_KEY", key)
    return script


@pytest.fixture
async def signed_in(admin: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> Person:
    """The same, remembered in a profile."""
    import os

    team = {"id": str(world.team_id), "slug": "team"}
    profile = {"url": world.served.url, "api_key": os.environ["TAWNY_API_KEY"], "key_team": team, "team": team}
    admin.file.parent.mkdir(parents=True)
    admin.file.write_text(json.dumps({"default": profile}))
    monkeypatch.delenv("TAWNY_API_KEY")
    monkeypatch.delenv("TAWNY_URL")
    return admin


async def test_a_project_is_made_used_renamed_and_deleted(signed_in: Person, world: World) -> None:
    made = signed_in("projects", "create", "The Shop!", "--json").json
    assert made["slug"] == "the-shop"
    assert signed_in.profiles["default"]["project"] == {"id": made["id"], "slug": "the-shop"}
    assert signed_in("projects", "use", str(world.project_id)).code == 0
    assert signed_in("projects", "use", "the-shop").code == 0
    assert signed_in("jobs", "trigger", "export", "--json").json["project_id"] == made["id"]
    assert signed_in("projects", "rename", "the-shop", "--slug", "shop").code == 0
    assert signed_in.profiles["default"]["project"]["slug"] == "shop"
    shown = signed_in("projects", "list").out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("*")] == ["shop"]
    signed_in("projects", "delete", "shop").refused(2, "--yes")
    assert "Nothing was changed." in signed_in("projects", "delete", "shop", typed="n\n").err
    assert signed_in("projects", "delete", "shop", typed="y\n").code == 0
    assert "project" not in signed_in.profiles["default"]
    signed_in("projects", "use", "shop").refused(1, "tawny projects list")
    signed_in("projects", "rename", "shop").refused(2, "--name")


async def test_a_slug_is_taken_once(admin: Person, world: World) -> None:
    assert admin("projects", "create", "Shop").code == 0
    admin("projects", "create", "Shop").refused(4, "slug")


async def test_runs_are_listed_by_the_slug_of_a_project(admin: Person, world: World) -> None:
    made = admin("projects", "create", "Shop", "--json").json
    run = admin("jobs", "trigger", "export", "--project", "shop", "--json").json
    await world.made()
    assert [each["id"] for each in admin("jobs", "list", "--project", "shop", "--json").json] == [run["id"]]
    assert run["project_id"] == made["id"]
    assert "shop" in admin("jobs", "list").out


async def test_an_empty_list_of_projects_invites(admin: Person, world: World) -> None:
    admin("projects", "delete", str(world.project_id), "--yes")
    assert "tawny projects create" in admin("projects", "list").err


async def test_teams_are_listed(signed_in: Person, world: World) -> None:
    shown = signed_in("teams", "list").out
    assert str(world.team_id) in shown
    assert [team["id"] for team in signed_in("teams", "list", "--json").json] == [str(world.team_id)]
    assert signed_in("teams", "use", str(world.team_id)).code == 0


# Integrations


def connect(person: Person, world: World, *more: str) -> Any:
    return person("integrations", "add", "revenuecat", "--project", str(world.project_id), *more)


async def test_an_integration_is_added_changed_copied_and_removed(admin: Person, world: World) -> None:
    at = ("--project", str(world.project_id))
    assert "tawny integrations add revenuecat" in admin("integrations", "list", *at).err
    added = connect(admin, world, "--api-key", SECRET)
    assert added.code == 0
    assert "Authorization header" in added.out
    assert f"/v1/webhooks/revenuecat/{world.project_id}" in added.out
    connect(admin, world, "--api-key", SECRET).refused(4, "connected")
    listed = admin("integrations", "list", *at).out
    assert "on" in listed
    assert SECRET not in listed
    assert "off" in admin("integrations", "update", "revenuecat", *at, "--disable").err
    assert admin("integrations", "update", "revenuecat", *at, "--enable", "--json").json["enabled"] is True
    admin("integrations", "update", "revenuecat", *at).refused(2, "--config")
    other = admin("projects", "create", "Other", "--json").json["id"]
    copied = admin("integrations", "copy", "revenuecat", "--from", str(world.project_id), "--project", "other", "--json").json
    assert copied["project_id"] == other
    admin("integrations", "remove", "revenuecat", *at).refused(2, "--yes")
    assert admin("integrations", "remove", "revenuecat", *at, typed="y\n").code == 0
    assert admin("integrations", "list", *at, "--json").json == []
    admin("integrations", "list").refused(2, "--project")


async def test_the_key_of_a_service_is_never_taken_for_our_own(admin: Person, world: World, tmp_path: Path) -> None:
    """In a CLI of the kind a global `--api-key` swallowed this one."""
    added = connect(admin, world, "--api-key", SECRET, "--json").json
    assert added["config"]["api_key"].startswith("sk_l")
    (tmp_path / "key").write_text(f"{SECRET}x\n")
    change = ("--project", str(world.project_id), "--config", f"api_key=@{tmp_path}/key", "--json")
    changed = admin("integrations", "update", "revenuecat", *change).json
    assert changed["enabled"]
    connect(admin, world, "--config", "api_key").refused(2, "KEY=VALUE")


async def test_what_a_service_needs_is_asked_for(admin: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer._click.termui.hidden_prompt_func", lambda _: SECRET)
    assert admin("integrations", "add", "revenuecat", "--project", str(world.project_id), typed="").code == 0
    connect(admin, world).refused(1, "api_key")
