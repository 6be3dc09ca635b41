"""The settings of a team: members and invitations, projects, keys, one's own mails, the audit log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.dashboard.site import Site, said

from tawny import access
from tawny.access import ACTIONS, RESOURCES, Actor, create_key, create_project, invite
from tawny.dashboard.audit_log import DEEDS, THINGS
from tawny.dashboard.keys import WHAT_THEY_MAY

PAYLOAD = '<img src=x onerror="alert(1)">'


async def role_of(site: Site, user_id: UUID) -> str | None:
    members = await access.list_members(site.world.conn, site.world.owner, site.world.team_id)
    return next((member.role for member in members if member.user_id == user_id), None)


# Members


async def test_members_are_listed_with_what_can_be_done_about_them(site: Site) -> None:
    other = await site.world.add_user("admin")
    page = await site.get("settings")
    assert f"{await site.world.address_of(other.id)}" in said(page)
    assert f"settings/members/{other.id}/role" in page.text
    assert "(you)" in said(page)


async def test_a_role_is_changed(site: Site) -> None:
    other = await site.world.add_user("member")
    answer = await site.post(f"settings/members/{other.id}/role", role="admin")
    assert answer.headers["location"] == f"{site.team}/settings"
    assert await role_of(site, other.id) == "admin"


async def test_what_is_no_role_is_refused_in_words(site: Site) -> None:
    other = await site.world.add_user("member")
    answer = await site.post(f"settings/members/{other.id}/role", role="king")
    assert answer.status_code == 400
    assert "A role is one of" in said(answer)


async def test_somebody_is_taken_out_after_a_question_that_names_them(site: Site) -> None:
    other = await site.world.add_user("member")
    asked = await site.fragment(f"settings/members/{other.id}/remove")
    assert f"Take {await site.world.address_of(other.id)} out of Team?" in said(asked)
    assert "<html" not in asked.text
    await site.post(f"settings/members/{other.id}/remove")
    assert await role_of(site, other.id) is None


async def test_a_member_may_leave_and_change_nobody(member: Site) -> None:
    page = await member.get("settings")
    assert "Leave" in said(page)
    assert "/role" not in page.text
    assert "Invite" not in said(page)
    other = await member.world.add_user("member")
    assert (await member.get(f"settings/members/{other.id}/remove")).status_code == 403
    assert (await member.post(f"settings/members/{other.id}/remove")).status_code == 403
    me = re.search(r"settings/members/([0-9a-f-]{36})/remove", page.text)
    assert me
    assert "Leave Team?" in said(await member.get(f"settings/members/{me[1]}/remove"))
    answer = await member.post(f"settings/members/{me[1]}/remove")
    assert answer.headers["location"] == "/"
    assert await role_of(member, UUID(me[1])) is None


async def test_the_last_owner_is_offered_no_way_out_and_refused_one(site: Site) -> None:
    await site.world.conn.execute(
        "delete from memberships where user_id = $1 and team_id = $2", site.world.owner_id, site.world.team_id
    )
    page = await site.get("settings")
    assert "/remove" not in page.text
    me = (await access.list_members(site.world.conn, site.world.owner, site.world.team_id))[0].user_id
    answer = await site.post(f"settings/members/{me}/remove")
    assert answer.status_code == 409
    assert "The last owner of a team stays" in said(answer)


# Invitations


async def test_an_invitation_is_sent_listed_and_withdrawn(site: Site) -> None:
    assert (await site.post("settings/invitations", email="new@example.com", role="admin")).status_code == 303
    page = await site.get("settings")
    assert "new@example.com admin" in said(page)
    path = re.search(r'action="([^"]+/withdraw)"', page.text)
    assert path
    await site.post(path[1])
    assert "new@example.com" not in said(await site.get("settings"))


async def test_an_invitation_that_cannot_be_sent_says_why_beside_its_form(site: Site) -> None:
    answer = await site.post("settings/invitations", email=PAYLOAD, role="member")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert PAYLOAD not in answer.text
    member = await site.world.address_of(site.world.owner_id)
    assert "a member of the team already" in said(await site.post("settings/invitations", email=member, role="member"))


async def test_an_invitation_to_oneself_is_accepted_here(member: Site) -> None:
    team_id, owner_id = await member.world.add_team()
    me = await member.world.conn.fetchval(
        "select u.email from users u join memberships m on m.user_id = u.id where m.team_id = $1 and m.role = 'member'",
        member.world.team_id,
    )
    owner = Actor("user", owner_id, {team_id: "owner"}, user_id=owner_id)
    await invite(member.world.conn, owner, team_id, email=me, role="member")
    page = await member.get("settings")
    assert "You are invited to Team as member" in said(page)
    path = re.search(r'action="([^"]+/accept)"', page.text)
    assert path
    assert (await member.post(path[1])).headers["location"] == "/"
    assert me in [found.email for found in await access.list_members(member.world.conn, owner, team_id)]


# Projects


async def test_a_project_is_made_renamed_and_deleted(site: Site) -> None:
    await site.post("settings/projects", name="Shop", slug="shop")
    page = await site.get("settings/projects")
    assert "Shop shop" in said(page)
    one = re.search(r'href="([^"]+)" aria-label="Rename Shop"', page.text)
    assert one
    assert 'value="shop"' in (await site.get(one[1])).text
    await site.post(one[1], name="Store", slug="store")
    assert "Store store" in said(await site.get("settings/projects"))
    assert "Delete the project Store?" in said(await site.get(f"{one[1]}/delete"))
    await site.post(f"{one[1]}/delete")
    assert "Store" not in said(await site.get("settings/projects"))


async def test_a_slug_that_is_taken_is_told_beside_the_form_with_what_was_typed(site: Site) -> None:
    made = await create_project(site.world.conn, site.world.owner, site.world.team_id, name="A", slug="a")
    answer = await site.post("settings/projects", name="Another", slug="a")
    assert answer.status_code == 409
    assert "already exists in your team" in said(answer)
    assert 'value="Another"' in answer.text
    await create_project(site.world.conn, site.world.owner, site.world.team_id, name="B", slug="b")
    assert (await site.post(f"settings/projects/{made.id}", name="A", slug="b")).status_code == 409


async def test_deleting_a_project_cancels_its_runs(site: Site) -> None:
    run_id = await site.world.made()
    await site.post(f"settings/projects/{site.world.project_id}/delete")
    assert await site.world.conn.fetchval("select status from job_runs where id = $1", run_id) == "cancelled"


async def test_a_project_of_ones_other_team_is_not_in_this_one(site: Site) -> None:
    team_id, owner_id = await site.world.add_team()
    project_id = await site.world.add_project(team_id)
    me = (await access.list_members(site.world.conn, site.world.owner, site.world.team_id))[-1].user_id
    owner = Actor("user", owner_id, {team_id: "owner"}, user_id=owner_id)
    await access.add_member(site.world.conn, owner, team_id, email=await site.world.address_of(me), role="owner")
    site.world.served.api.state.tawny.authenticator._known.clear()
    assert (await site.post(f"settings/projects/{project_id}/delete")).status_code == 404


async def test_a_member_sees_projects_and_changes_none(member: Site) -> None:
    page = await member.get("settings/projects")
    assert page.status_code == 200
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]


# Keys


async def test_the_text_of_a_key_is_shown_once(site: Site) -> None:
    made = await site.post("settings/keys", name="ci", permissions=["jobs:read"], days="30")
    text = re.search(r'id="key-text"[^>]*>([^<]+)<', made.text)
    assert text
    assert (await site.world.send("GET", "/v1/auth/whoami", as_=text[1])).status_code == 200
    page = await site.get("settings/keys")
    assert text[1] not in page.text
    assert f"ci …{text[1][-4:]} jobs:read" in said(page)
    assert f"never {datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}" in said(page)


@pytest.mark.parametrize("fields", [{"name": ""}, {"permissions": []}, {"permissions": ["fly"]}, {"days": "x"}])
async def test_a_key_that_cannot_be_made_says_why(fields: dict[str, object], site: Site) -> None:
    sent = {"name": "ci", "permissions": ["jobs:read"], "days": "30"} | fields
    answer = await site.post("settings/keys", **sent)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "key-text" not in answer.text


async def test_a_key_is_revoked_after_a_question(site: Site) -> None:
    key, text = await create_key(site.world.conn, site.world.owner, site.world.team_id, name="old", permissions=["jobs:read"])
    assert "Revoke the key “old”?" in said(await site.fragment(f"settings/keys/{key.id}/revoke"))
    await site.post(f"settings/keys/{key.id}/revoke")
    assert (await site.world.send("GET", "/v1/auth/whoami", as_=text)).status_code == 401
    assert "Revoked now · old" in said(await site.get("settings/keys"))


async def test_a_key_that_has_expired_is_among_those_that_are_over(site: Site) -> None:
    key, _ = await create_key(site.world.conn, site.world.owner, site.world.team_id, name="k", permissions=["jobs:read"])
    past = datetime.now(UTC) - timedelta(hours=2)
    await site.world.conn.execute("update api_keys set expires_at = $1 where id = $2", past, key.id)
    assert "Expired 2h ago · k" in said(await site.get("settings/keys"))


def test_each_permission_that_a_key_can_get_is_told_in_words() -> None:
    assert set(WHAT_THEY_MAY) == access.permissions_of("owner")


# Mails


async def test_what_one_is_mailed_about_is_chosen(member: Site) -> None:
    assert (await member.get("settings/mails")).text.count(" checked") == 3
    answer = await member.post("settings/mails", mail_events=["failed"])
    assert answer.headers["location"] == f"{member.team}/settings/mails?saved=yes"
    page = await member.get("settings/mails")
    assert page.text.count(" checked") == 1
    assert 'value="failed" checked' in page.text
    await member.post("settings/mails")
    assert " checked" not in (await member.get("settings/mails")).text


# Audit log


async def test_the_log_says_who_changed_what(site: Site) -> None:
    other = await site.world.add_user("member")
    await site.post(f"settings/members/{other.id}/role", role="admin")
    page = said(await site.get("settings/audit-log"))
    address = await site.world.address_of(other.id)
    assert f"who: {address} · role: member → admin" in page
    assert "Changed member" in page


async def test_the_log_is_filtered_by_the_address(site: Site) -> None:
    await site.post("settings/projects", name="Shop", slug="shop")
    shown = await site.get("settings/audit-log", params={"resource_type": "project", "action": "create", "since": "1h"})
    assert "name: Shop" in said(shown)
    none = await site.get("settings/audit-log", params={"resource_type": "project", "action": "delete", "actor_id": ""})
    assert "Nothing of this kind was done" in said(none)
    assert (await site.get("settings/audit-log", params={"action": "fly"})).status_code == 400


async def test_pages_of_the_log_follow_each_other(site: Site) -> None:
    for number in range(51):
        await create_project(site.world.conn, site.world.owner, site.world.team_id, name=f"P{number}", slug=f"p{number}")
    wanted = {"resource_type": "project", "actor_id": str(site.world.owner_id)}
    first = await site.get("settings/audit-log", params=wanted)
    older = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert older
    second = await site.get(older[1].replace("&amp;", "&"))
    told = re.findall(r"slug: (p\d+)", said(first) + said(second))
    assert sorted(told) == sorted(f"p{number}" for number in range(51))


def test_each_resource_and_action_has_words() -> None:
    assert set(THINGS) == set(RESOURCES)
    assert set(DEEDS) == set(ACTIONS)


# All of them


async def test_names_are_text_whatever_is_in_them(site: Site) -> None:
    conn, owner, team_id = site.world.conn, site.world.owner, site.world.team_id
    await create_project(conn, owner, team_id, name=PAYLOAD, slug="x")
    key, _ = await create_key(conn, owner, team_id, name=PAYLOAD, permissions=["jobs:read"])
    for path in ("settings/projects", "settings/keys", "settings/audit-log", f"settings/keys/{key.id}/revoke"):
        page = await site.get(path)
        assert PAYLOAD not in page.text
        assert PAYLOAD in said(page)


async def test_a_member_is_offered_the_tabs_that_they_may_see(member: Site) -> None:
    tabs = (await member.get("settings")).text.partition('aria-label="Settings"')[2].partition("</nav>")[0]
    assert re.findall(r">([^<]+)</a>", tabs) == ["Members", "Projects", "Your mails"]
