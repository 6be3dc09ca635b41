"""Signing in, and what is remembered."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable

import pytest
from tests.waiting import until

from api.world import World
from cli.conftest import Person
from tawny.db.ids import uuid7

pytestmark = pytest.mark.walk

Code = Callable[[str], str]


async def email_of(world: World, user_id: object) -> str:
    found: str = await world.conn.fetchval("select email from users where id = $1", user_id)
    return found


@pytest.fixture
async def email(world: World) -> str:
    return await email_of(world, world.owner_id)


async def add_team(world: World, user_id: object, slug: str) -> str:
    """Another team that the user is in."""
    team_id, _ = await world.add_team()
    await world.conn.execute("update teams set slug = $2 where id = $1", team_id, slug)
    await world.conn.execute("insert into memberships (team_id, user_id, role) values ($1, $2, 'admin')", team_id, user_id)
    return str(team_id)


def sign_in(person: Person, world: World, email: str, code_for: Code, *more: str) -> None:
    to = ("login", "--url", world.served.url, "--email", email, *more)
    assert person(*to).code == 0
    done = person(*to, "--code", code_for(email))
    assert (done.code, done.out) == (0, ""), done.err


def login_as_user(person: Person, world: World, email: str, code_for: Code, *more: str) -> str:
    to = ("login", "--user", "--url", world.served.url, "--email", email, *more)
    assert person(*to).code == 0
    return person(*to, "--code", code_for(email)).err


async def test_somebody_at_a_terminal_is_asked(person: Person, world: World, email: str, code_for: Code) -> None:
    asked = person("login", "--url", world.served.url, "--email", email)
    assert "A code was mailed" in asked.err
    done = person("login", "--code", code_for(email), typed=f"{world.served.url}\n{email}\n")
    assert done.code == 0
    assert f"Signed in to {world.served.url} as {email}" in done.err
    wrong = person("login", typed="\n\n000000\n")  # what was typed before is offered now
    assert wrong.code == 3
    assert "Invalid or expired code" in wrong.err


async def test_a_sign_in_is_remembered_for_its_user_alone(person: Person, world: World, email: str, code_for: Code) -> None:
    person.file.parent.mkdir(parents=True, mode=0o755)
    sign_in(person, world, email, code_for)
    profile = person.profiles["default"]
    assert profile["url"] == world.served.url
    assert profile["team"]["id"] == profile["key_team"]["id"] == str(world.team_id)
    assert profile["project"]["id"] == str(world.project_id)
    assert stat.S_IMODE(person.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(person.file.parent.stat().st_mode) == 0o700
    assert [file.name for file in person.file.parent.iterdir()] == ["profiles.json"]
    who = person("whoami", "--json").json
    assert (who["type"], who["profile"], who["team"]["id"]) == ("api_key", "default", str(world.team_id))
    assert "Default project" in person("whoami").out


async def test_login_in_json_prints_one_object(person: Person, world: World, email: str, code_for: Code) -> None:
    to = ("login", "--url", world.served.url, "--email", email, "--json")
    person(*to)
    done = person(*to, "--code", code_for(email)).json
    assert done["team_id"] == str(world.team_id)
    assert "api_key" not in done


async def test_who_is_in_several_teams_says_which(person: Person, world: World, email: str, code_for: Code) -> None:
    other = await add_team(world, world.owner_id, "other")
    to = ("login", "--url", world.served.url, "--email", email)
    person(*to)
    code = code_for(email)
    person(*to, "--code", code).refused(2, "--team", "other")
    person(*to, "--code", code, "--team", "third").refused(2, "'third'", "other")
    assert person(*to, "--code", code, typed="nowhere\nother\n").code == 0
    assert person.profiles["default"]["team"] == {"id": other, "slug": "other"}


async def test_a_user_session_stands_beside_the_key(person: Person, world: World, email: str, code_for: Code) -> None:
    sign_in(person, world, email, code_for)
    key = person.profiles["default"]["api_key"]
    person("keys", "list").refused(3, "tawny login --user")
    sign_in(person, world, email, code_for, "--user")
    assert person.profiles["default"]["api_key"] == key
    assert person("whoami", "--json").json["type"] == "api_key"
    made = person("keys", "create", "ci", "--permission", "jobs:read,jobs:write", "--expires-in", "1h", "--json").json
    assert made["permissions"] == ["jobs:read", "jobs:write"]
    listed = person("keys", "list").out
    assert made["id"][-8:] in listed
    assert "ends in" in listed
    person("keys", "revoke", made["id"][-8:]).refused(2, "--yes")
    assert person("keys", "revoke", made["id"][-8:], typed="n\n").code == 130
    assert person("keys", "revoke", made["id"][-8:], "--yes").code == 0
    assert "revoked" in person("keys", "list").out
    person("keys", "revoke", "ffffffff", "--yes").refused(1, "tawny keys list")
    alone = person("keys", "create", "two", "--permission", "jobs:read")
    assert alone.out.startswith("tawny_")
    assert alone.out.count("\n") == 1


async def test_another_team_is_reached_by_the_session(person: Person, world: World, email: str, code_for: Code) -> None:
    other = await add_team(world, world.owner_id, "other")
    sign_in(person, world, email, code_for, "--team", str(world.team_id))
    person("teams", "use", "other").refused(1, "tawny teams list")
    sign_in(person, world, email, code_for, "--user")
    assert person("teams", "use", "other").code == 0
    assert person.profiles["default"]["team"]["id"] == other
    assert "project" not in person.profiles["default"]
    run_id = str(await world.made())
    assert person("jobs", "list", "--json").json == person("jobs", "list", "--team", "other", "--json").json == []
    assert [run["id"] for run in person("jobs", "list", "--team", str(world.team_id), "--json").json] == [run_id]
    sign_in(person, world, email, code_for, "--user", "--team", str(world.team_id))
    assert [run["id"] for run in person("jobs", "list", "--json").json] == [run_id]
    assert "No team is chosen" in login_as_user(person, world, email, code_for, "--team", "nowhere")


async def test_a_sign_in_elsewhere_keeps_nothing_of_the_other(person: Person, world: World, email: str, code_for: Code) -> None:
    sign_in(person, world, email, code_for)
    stranger = await email_of(world, (await world.add_user("admin")).id)
    sign_in(person, world, stranger, code_for, "--user")
    assert "api_key" not in person.profiles["default"]
    assert person.profiles["default"]["email"] == stranger
    assert person("whoami", "--json").json["type"] == "user"


async def test_profiles_are_apart_and_logout_forgets_one(
    person: Person, world: World, email: str, code_for: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(person, world, email, code_for)
    sign_in(person, world, email, code_for, "--profile", "mine", "--user")
    assert person("whoami", "--profile", "mine", "--json").json["type"] == "user"
    monkeypatch.setenv("TAWNY_PROFILE", "mine")
    assert person("whoami", "--json").json["profile"] == "mine"
    token = person.profiles["mine"]["token"]
    assert "Forgot the profile mine" in person("logout").err

    async def refused() -> bool:
        return (await world.send("GET", "/v1/auth/whoami", as_=token)).status_code == 401

    await until(refused, "the end of the session")
    assert set(person.profiles) == {"default"}
    person("whoami").refused(3, "tawny login --profile mine")
    assert "no profile mine" in person("logout").err
    monkeypatch.delenv("TAWNY_PROFILE")
    assert "until it is revoked" in person("logout").err


def test_nobody_is_signed_in_at_first(person: Person) -> None:
    for command in (("whoami",), ("jobs", "list"), ("teams", "list"), ("keys", "list"), ("jobs", "watch", str(uuid7()))):
        person(*command).refused(3, "tawny login", "TAWNY_API_KEY")
    person("login").refused(2, "--email")
    person("login", "--url", "tawny.example.com", "--email", "a@b.example").refused(2, "https://tawny.example.com")


def test_a_server_that_is_away_has_an_exit_code_of_its_own(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tawny.cli.user.server.PATIENCE", 0.1)
    person("login", "--url", "http://127.0.0.1:1", "--email", "a@b.example").refused(5, "cannot be reached", "Check the address")


def test_a_file_that_is_no_profile_is_one_sentence(person: Person) -> None:
    person.file.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"default": {"nothing": 1}}', '{"default": 1}'):
        person.file.write_text(content)
        person("whoami").refused(2, "profiles.json", "tawny login")


def test_a_folder_that_cannot_be_written_is_one_sentence(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nowhere")
    from tawny.cli.user.profiles import Profile, save
    from tawny.errors import SettingsError

    with pytest.raises(SettingsError, match="cannot be written"):
        save("default", Profile("http://x"))


# The environment


async def test_the_environment_wins_over_what_is_remembered(
    person: Person, world: World, email: str, code_for: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(person, world, email, code_for)
    key = await world.add_key("jobs:read")
    monkeypatch.setenv("TAWNY_API_KEY", key)
    assert person("whoami", "--json").json["permissions"] == ["jobs:read"]
    assert person("whoami", "--json", "--profile", "default").json["permissions"] != ["jobs:read"]
    person("projects", "use", "shop").refused(2, "--project")


async def test_the_key_of_one_server_is_never_sent_to_another(
    person: Person, world: World, email: str, code_for: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(person, world, email, code_for)
    monkeypatch.setenv("TAWNY_URL", "http://127.0.0.1:1")
    person("whoami").refused(3, "TAWNY_API_KEY")
    monkeypatch.setenv("TAWNY_URL", f"{world.served.url}/")
    assert person("whoami", "--json").json["profile"] == "default"


async def test_a_wrong_key_says_what_to_do(script: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAWNY_API_KEY", "tawny_wrong")
    script("jobs", "list").refused(3, "tawny login")
    monkeypatch.setenv("TAWNY_URL", "nowhere")
    script("jobs", "list").refused(2, "TAWNY_URL")


async def test_keys_of_the_environment_cannot_manage_keys(script: Person, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    script("keys", "list").refused(3, "tawny login --user")
    monkeypatch.setenv("TAWNY_API_KEY", await world.token(world.owner_id))
    assert json.loads(script("keys", "list", "--json").out)
