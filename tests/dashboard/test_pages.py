"""Every page there is, by the same rules: who may see it, what its headers say, what a form must carry."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.dashboard.site import ORIGIN_OF_OTHERS, Site, said

from api.world import World
from tawny.access import (
    CANCEL_RUN,
    LIST_RUNS,
    TRIGGER_RUN,
    VIEW_AUDIT_LOG,
    VIEW_INTEGRATIONS,
    VIEW_MEMBERS,
    VIEW_PROJECTS,
    VIEW_RUN,
    VIEW_SCHEDULES,
    VIEW_SUBSCRIBERS,
    WRITE_INTEGRATIONS,
    WRITE_KEYS,
    WRITE_MEMBERS,
    WRITE_NOTIFICATIONS,
    WRITE_OWN_PREFERENCES,
    WRITE_PROJECTS,
    WRITE_SCHEDULES,
)
from tawny.dashboard.door import PAGES
from tawny.dashboard.page import TEAM, Page
from tawny.dashboard.tokens import VISITOR

OPEN = {"GET /sign-in", "POST /sign-in", "POST /sign-in/code", "GET /sign-in/link", "POST /sign-in/link", "POST /theme"}
NEEDS = {
    "GET /": None,
    "POST /sign-out": None,
    f"GET {TEAM}": None,
    f"GET {TEAM}/overview": LIST_RUNS,
    f"GET {TEAM}/errors": LIST_RUNS,
    f"GET {TEAM}/runs": LIST_RUNS,
    f"GET {TEAM}/runs/open": VIEW_RUN,
    f"GET {TEAM}/runs/bulk": CANCEL_RUN,
    f"POST {TEAM}/runs/bulk": CANCEL_RUN,
    f"GET {TEAM}/runs/{{run_id}}": VIEW_RUN,
    f"GET {TEAM}/runs/{{run_id}}/logs": VIEW_RUN,
    f"GET {TEAM}/runs/{{run_id}}/cancel": CANCEL_RUN,
    f"POST {TEAM}/runs/{{run_id}}/cancel": CANCEL_RUN,
    f"POST {TEAM}/runs/{{run_id}}/retry": TRIGGER_RUN,
    f"GET {TEAM}/run-a-job": TRIGGER_RUN,
    f"POST {TEAM}/run-a-job": TRIGGER_RUN,
    f"POST {TEAM}/run-a-job/check": TRIGGER_RUN,
    f"GET {TEAM}/workers": LIST_RUNS,
    f"GET {TEAM}/schedules": VIEW_SCHEDULES,
    f"POST {TEAM}/schedules": WRITE_SCHEDULES,
    f"GET {TEAM}/schedules/new": WRITE_SCHEDULES,
    f"GET {TEAM}/schedules/{{project_id}}/{{schedule_id}}": VIEW_SCHEDULES,
    f"GET {TEAM}/schedules/{{project_id}}/{{schedule_id}}/edit": WRITE_SCHEDULES,
    f"POST {TEAM}/schedules/{{project_id}}/{{schedule_id}}/edit": WRITE_SCHEDULES,
    f"POST {TEAM}/schedules/{{project_id}}/{{schedule_id}}/run": WRITE_SCHEDULES,
    f"POST {TEAM}/schedules/{{project_id}}/{{schedule_id}}/pause": WRITE_SCHEDULES,
    f"GET {TEAM}/schedules/{{project_id}}/{{schedule_id}}/delete": WRITE_SCHEDULES,
    f"POST {TEAM}/schedules/{{project_id}}/{{schedule_id}}/delete": WRITE_SCHEDULES,
    f"GET {TEAM}/integrations": VIEW_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/connect": WRITE_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/change": WRITE_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/turn": WRITE_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/try": WRITE_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/sync": WRITE_INTEGRATIONS,
    f"GET {TEAM}/integrations/{{project_id}}/disconnect": WRITE_INTEGRATIONS,
    f"POST {TEAM}/integrations/{{project_id}}/disconnect": WRITE_INTEGRATIONS,
    f"GET {TEAM}/integrations/{{project_id}}/webhook": WRITE_INTEGRATIONS,
    f"GET {TEAM}/integrations/{{project_id}}/subscribers": VIEW_SUBSCRIBERS,
    f"GET {TEAM}/integrations/{{project_id}}/subscribers.csv": VIEW_SUBSCRIBERS,
    f"GET {TEAM}/settings": VIEW_MEMBERS,
    f"POST {TEAM}/settings/members/{{user_id}}/role": WRITE_MEMBERS,
    f"GET {TEAM}/settings/members/{{user_id}}/remove": VIEW_MEMBERS,
    f"POST {TEAM}/settings/members/{{user_id}}/remove": VIEW_MEMBERS,
    f"POST {TEAM}/settings/invitations": WRITE_MEMBERS,
    f"POST {TEAM}/settings/invitations/{{invitation_id}}/withdraw": WRITE_MEMBERS,
    "POST /invitations/{invitation_id}/accept": None,
    f"GET {TEAM}/settings/projects": VIEW_PROJECTS,
    f"POST {TEAM}/settings/projects": WRITE_PROJECTS,
    f"GET {TEAM}/settings/projects/{{project_id}}": WRITE_PROJECTS,
    f"POST {TEAM}/settings/projects/{{project_id}}": WRITE_PROJECTS,
    f"GET {TEAM}/settings/projects/{{project_id}}/delete": WRITE_PROJECTS,
    f"POST {TEAM}/settings/projects/{{project_id}}/delete": WRITE_PROJECTS,
    f"GET {TEAM}/settings/keys": WRITE_KEYS,
    f"POST {TEAM}/settings/keys": WRITE_KEYS,
    f"GET {TEAM}/settings/keys/{{key_id}}/revoke": WRITE_KEYS,
    f"POST {TEAM}/settings/keys/{{key_id}}/revoke": WRITE_KEYS,
    f"GET {TEAM}/settings/webhooks": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks": WRITE_NOTIFICATIONS,
    f"GET {TEAM}/settings/webhooks/{{webhook_id}}": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}/turn": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}/test": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}/rotate-secret": WRITE_NOTIFICATIONS,
    f"GET {TEAM}/settings/webhooks/{{webhook_id}}/delete": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}/delete": WRITE_NOTIFICATIONS,
    f"GET {TEAM}/settings/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}": WRITE_NOTIFICATIONS,
    f"POST {TEAM}/settings/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver": WRITE_NOTIFICATIONS,
    f"GET {TEAM}/settings/mails": WRITE_OWN_PREFERENCES,
    f"POST {TEAM}/settings/mails": WRITE_OWN_PREFERENCES,
    f"GET {TEAM}/settings/audit-log": VIEW_AUDIT_LOG,
}
"""What each page needs that is not open to everybody."""

NOWHERE = "00000000-0000-0000-0000-000000000000"

FORMS = [page for page in PAGES if page.method == "POST"]
FOR_ADMINS = [page for page in PAGES if page.needs is not None and not page.needs.allows("member")]


def address(page: Page, slug: str) -> str:
    return re.sub(r"\{\w+_id\}", NOWHERE, page.path.replace("{team}", slug))


def named(page: Page) -> str:
    return f"{page.method} {page.path}"


async def open_(site: Site, page: Page, slug: str) -> httpx.Response:
    """Look at a page, or send its form."""
    answer: httpx.Response = await (site.post if page.method == "POST" else site.get)(address(page, slug))
    return answer


def test_each_page_needs_what_the_table_says() -> None:
    found = {f"{page.method} {page.path}": page.needs for page in PAGES if not page.public}
    assert found == NEEDS
    assert {f"{page.method} {page.path}" for page in PAGES if page.public} == OPEN


async def test_who_is_not_signed_in_is_taken_to_the_sign_in_or_refused(site: Site, stranger: httpx.AsyncClient) -> None:
    for page in PAGES:
        if page.public:
            continue
        answer = await stranger.request(page.method, address(page, site.slug), data={} if page.method == "POST" else None)
        if page.method == "POST":
            assert answer.status_code == 401, named(page)
            assert "You are signed out" in said(answer), named(page)
        else:
            assert answer.status_code == 303, named(page)
            assert answer.headers["location"].startswith("/sign-in"), named(page)


async def test_a_member_is_refused_what_is_for_admins(member: Site) -> None:
    for page in FOR_ADMINS:
        answer = await open_(member, page, member.slug)
        assert answer.status_code == 403, named(page)
        assert "needs the role admin or owner in this team; yours is member" in said(answer), named(page)


async def test_a_team_of_others_is_nowhere(site: Site, world: World) -> None:
    other, _ = await world.add_team()
    slug = await world.conn.fetchval("select slug from teams where id = $1", other)
    for page in PAGES:
        if TEAM not in page.path:
            continue
        theirs, unknown = await open_(site, page, slug), await open_(site, page, "nobodys")
        assert (theirs.status_code, unknown.status_code) == (404, 404), named(page)
        assert said(theirs) == said(unknown), named(page)


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_is_refused(token: str, site: Site) -> None:
    answers = {page.path: (await site.post(address(page, site.slug), token=token)).status_code for page in FORMS}
    assert answers == dict.fromkeys(answers, 403)


@pytest.mark.parametrize("headers", [{"origin": ORIGIN_OF_OTHERS}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
async def test_a_form_of_another_site_is_refused(headers: dict[str, str], site: Site) -> None:
    token = await site.token()
    answers = {p.path: (await site.post(address(p, site.slug), token=token, headers=headers)).status_code for p in FORMS}
    assert answers == dict.fromkeys(answers, 403)


async def test_a_token_is_good_in_one_session_only(site: Site, member: Site) -> None:
    token = await member.token()
    assert (await site.post("/sign-out", token=token)).status_code == 403
    assert (await member.post("/sign-out", token=token)).status_code == 303


async def test_a_session_that_was_ended_is_over(site: Site) -> None:
    token, cookie = await site.token(), site.http.cookies["tawny_session"]
    assert (
        (await site.post("/sign-out"))
        .headers["set-cookie"]
        .startswith("tawny_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
    )
    site.http.cookies.set("tawny_session", cookie)
    site.world.served.api.state.tawny.authenticator._known.clear()
    assert (await site.post("/sign-out", token=token)).status_code == 401


async def test_an_agent_key_is_no_session(world: World, stranger: httpx.AsyncClient) -> None:
    stranger.cookies.set("tawny_session", world.key)
    assert (await stranger.get("/")).status_code == 303


async def test_every_answer_forbids_what_did_not_come_with_it(site: Site) -> None:
    for page in PAGES:
        answer = await open_(site, page, site.slug)
        assert answer.status_code < 500, named(page)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), named(page)
        assert "unsafe" not in policy, named(page)
        assert "frame-ancestors 'none'" in policy, named(page)
        assert answer.headers["cache-control"] == "no-store", named(page)
        assert answer.headers["x-content-type-options"] == "nosniff", named(page)
        assert answer.headers["referrer-policy"] == "same-origin", named(page)


async def test_what_is_nowhere_says_so_in_words(site: Site) -> None:
    answer = await site.get("runs/open", params={"run_id": "x"})
    assert answer.status_code == 404
    assert "There is nothing here" in said(answer)


async def test_files_are_kept_by_browsers_for_as_long_as_they_do_not_change(site: Site) -> None:
    page = (await site.get("runs")).text
    sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = await site.get(sheet)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert (await site.http.get(sheet, headers={"accept-encoding": "identity"})).text == answer.text
    assert (await site.get("/static/x/secret")).status_code == 404
    assert (await site.get("/static/x/htmx.LICENSE")).status_code == 404


async def test_a_stream_is_for_who_is_signed_in(site: Site, stranger: httpx.AsyncClient, member: Site) -> None:
    assert (await stranger.get(f"{site.team}/events")).status_code == 401
    assert (await member.get("events")).status_code == 403
    async with site.http.stream("GET", f"{site.team}/events") as answer:
        assert answer.status_code == 200
        assert "event: open" in [line async for line in _first(answer, 2)]


async def _first(answer: httpx.Response, count: int):  # type: ignore[no-untyped-def]
    lines = answer.aiter_lines()
    for _ in range(count):
        yield await anext(lines)


async def test_the_visitor_cookie_is_for_this_host_and_no_script(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/sign-in")
    assert answer.headers["set-cookie"].startswith(f"{VISITOR}=")
    assert "HttpOnly; SameSite=Lax; Path=/" in answer.headers["set-cookie"]


async def test_the_theme_is_kept_in_the_browser(site: Site) -> None:
    answer = await site.post("/theme", theme="dark", next=f"{site.team}/runs")
    assert answer.headers["location"] == f"{site.team}/runs"
    assert 'data-theme="dark"' in (await site.get("runs")).text
    assert (await site.post("/theme", theme="pink")).status_code == 400
