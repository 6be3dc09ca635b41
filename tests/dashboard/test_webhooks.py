"""Webhooks of a team on pages: made, looked after, and what was posted to them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import httpx
from tests.dashboard.site import Site, said

from tawny import notifications
from tawny.notifications import TeamWebhook
from tawny.notifications.statements import queries

URL = "https://8.8.8.8/hook/a-secret"
PAYLOAD = '<img src=x onerror="alert(1)">'


async def make(site: Site, **fields: Any) -> httpx.Response:
    sent = {"name": "Deploy bot", "url": URL, "format": "json", "events": ["failed"]} | fields
    answer: httpx.Response = await site.post("settings/webhooks", **sent)
    return answer


async def made(site: Site, **fields: Any) -> str:
    """Make one; the path of its page below the team."""
    assert (await make(site, **fields)).status_code == 200
    return f"settings/webhooks/{(await webhooks(site))[-1].id}"


async def webhooks(site: Site) -> list[TeamWebhook]:
    return await notifications.list_webhooks(site.world.conn, site.world.owner, site.world.team_id)


async def posted(site: Site, at: str, status: str, entry: str = "{}", request: str | None = None) -> str:
    """Send a test that became this; the path of its page."""
    await site.post(f"{at}/test")
    delivery_id = await site.world.conn.fetchval("select id from deliveries where status = 'pending'")
    await queries.claim_deliveries(site.world.conn, channel="webhook", hold=60, busy=[], at_most=1)
    end = {"status": status, "delay": 3_600.0, "unsure": 0, "entry": entry, "request": request}
    assert await queries.end_try(site.world.conn, id=delivery_id, tries=1, **end)
    return f"{at}/deliveries/{delivery_id}"


def secret_on(page: httpx.Response) -> str | None:
    found = re.search(r"whsec_[\w+/=]+", unescape(page.text))
    return found[0] if found else None


async def test_a_webhook_is_made_and_its_secret_shown_this_once(site: Site) -> None:
    assert "No webhook yet" in said(await site.get("settings/webhooks"))
    answer = await make(site)
    assert "The webhook “Deploy bot” is made" in said(answer)
    assert secret_on(answer)
    page = await site.get("settings/webhooks")
    assert "Deploy bot https://8.8.8.8/hook**** failed On" in said(page)
    (webhook,) = await webhooks(site)
    one = await site.get(f"settings/webhooks/{webhook.id}")
    assert "Nothing yet" in said(one)
    for later in (page, one):
        assert secret_on(later) is None
        assert "a-secret" not in later.text
    assert await site.world.audited() == ["create webhook"]


async def test_what_is_wrong_is_told_and_what_was_typed_stays(site: Site) -> None:
    for url, why in (
        ("http://example.com/", "should begin with https://"),
        ("https://169.254.169.254/", "not into a private network"),
        ("https://[::ffff:127.0.0.1]/", "not into a private network"),
    ):
        answer = await make(site, url=url, name="Mine")
        assert answer.status_code == 400
        assert why in said(answer)
        assert 'value="Mine"' in answer.text
    assert (await make(site, events=[])).status_code == 400
    assert await webhooks(site) == []


async def test_a_change_leaves_an_address_that_was_not_typed(site: Site) -> None:
    at = await made(site)
    answer = await site.post(at, name="Bot", url="", events=["completed", "failed"])
    assert answer.headers["location"] == f"{site.team}/{at}"
    (webhook,) = await webhooks(site)
    assert (webhook.name, webhook.events, webhook.shown_url) == ("Bot", ["completed", "failed"], "https://8.8.8.8/hook****")
    await site.post(at, name="Bot", url="https://8.8.4.4/", events=["failed"])
    assert (await webhooks(site))[0].shown_url == "https://8.8.4.4/"
    refused = await site.post(at, name="Bot", url="https://10.0.0.1/", events=["failed"])
    assert refused.status_code == 400
    assert "not into a private network" in said(refused)


async def test_it_is_turned_off_and_on_and_tells_why_tawny_did(site: Site) -> None:
    at = await made(site)
    await site.post(f"{at}/turn", to="off")
    page = said(await site.get(at))
    assert "Deploy bot Off" in page
    assert "Send a test" not in page
    await site.world.conn.execute("update webhooks set disabled_because = '3 messages in a row were not taken.'")
    page = said(await site.get(at))
    assert "Deploy bot Disabled" in page
    assert "Nothing is posted here any more. 3 messages in a row were not taken." in page
    await site.post(f"{at}/turn", to="on")
    page = said(await site.get(at))
    assert "Deploy bot On" in page
    assert "in a row" not in page


async def test_another_secret_is_shown_once_and_says_how_long_the_old_one_signs(site: Site) -> None:
    first = secret_on(await make(site))
    at = f"settings/webhooks/{(await webhooks(site))[0].id}"
    answer = await site.post(f"{at}/rotate-secret", overlap_hours="24")
    assert secret_on(answer) not in (None, first)
    later = await site.get(at)
    assert secret_on(later) is None
    assert "The old secret signs too until in 23h" in said(later)
    await site.post(f"{at}/rotate-secret", overlap_hours="0")
    assert "signs too until" not in said(await site.get(at))
    assert (await site.post(f"{at}/rotate-secret", overlap_hours="1000")).status_code == 400


async def test_a_test_is_on_its_way_and_the_page_asks_again_until_it_has_arrived(site: Site) -> None:
    at = await made(site)
    answer = await site.post(f"{at}/test")
    assert answer.headers["location"] == f"{site.team}/{at}"
    page = await site.get(at)
    assert "Waits A test 0" in said(page)
    assert 'hx-trigger="every 2s"' in page.text
    part = await site.fragment(at)
    assert part.text.lstrip().startswith("<section")
    await site.world.conn.execute("update deliveries set status = 'delivered', ended_at = now(), tries = 1")
    part = await site.fragment(at)
    assert "Delivered A test 1" in said(part)
    assert "hx-trigger" not in part.text


async def test_a_post_shows_what_was_sent_and_answered_and_is_sent_again(site: Site) -> None:
    at = await made(site)
    entry = '{"at": "2026-03-04T05:06:07.000Z", "seconds": 0.25, "status": 503, "answer": "busy", "error": "the answer was no"}'
    one = await posted(site, at, "failed", entry, '{"type": "webhook.test"}')
    page = said(await site.get(one))
    assert "A test Given up" in page
    assert "1 try 503" in page
    assert "after 250ms the answer was no busy" in page
    assert '{"type": "webhook.test"}' in page
    answer = await site.post(f"{one}/redeliver")
    assert answer.headers["location"] == f"{site.team}/{at}"
    assert "Tries again A test 1" in said(await site.get(at))
    assert "Post it again" not in said(await site.get(one))
    assert (await site.post(f"{one}/redeliver")).status_code == 409


async def test_a_try_that_was_answered_well_has_no_error_and_one_that_was_not_answered_no_status(site: Site) -> None:
    at = await made(site)
    well = '{"at": "2026-03-04T05:06:07.000Z", "seconds": 0.01, "status": 200}'
    assert "1 try 200" in said(await site.get(await posted(site, at, "delivered", well)))
    silent = '{"at": "2026-03-04T05:06:07.000Z", "seconds": 10.0, "error": "no answer within 10 seconds"}'
    assert "1 try No answer" in said(await site.get(await posted(site, at, "failed", silent)))


async def test_a_post_about_a_run_leads_to_it(site: Site) -> None:
    at = await made(site)
    run_id = await site.world.ended("failed")
    await queries.address(site.world.conn, at_most=10, alert_email=None)
    page = await site.get(at)
    assert f"Run {str(run_id)[-8:]} failed" in said(page)
    one = re.search(r'href="([^"]+/deliveries/[^"]+)"', page.text)
    assert one
    assert f'href="{site.team}/runs/{run_id}"' in (await site.get(one[1])).text


async def test_posts_are_listed_page_by_page(site: Site) -> None:
    at = await made(site)
    webhook_id = UUID(at.rpartition("/")[2])
    for _ in range(26):
        await notifications.send_test(site.world.conn, site.world.owner, site.world.team_id, webhook_id)
    first = await site.get(at)
    older = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert older
    assert "25 posts, newest first" in said(first)
    assert "1 posts, newest first" in said(await site.get(unescape(older[1])))


async def test_it_is_deleted_after_a_question(site: Site) -> None:
    at = await made(site)
    assert "Delete the webhook “Deploy bot”?" in said(await site.fragment(f"{at}/delete"))
    answer = await site.post(f"{at}/delete")
    assert answer.headers["location"] == f"{site.team}/settings/webhooks"
    assert (await site.get(at)).status_code == 404
    assert await webhooks(site) == []


async def test_names_and_answers_are_text_whatever_is_in_them(site: Site) -> None:
    at = await made(site, name=PAYLOAD)
    entry = '{"at": "2026-03-04T05:06:07.000Z", "seconds": 1, "status": 500, "answer": "<img src=x onerror=alert(1)>"}'
    one = await posted(site, at, "failed", entry, PAYLOAD)
    for address in ("settings/webhooks", at, one, f"{at}/delete"):
        page = await site.get(address)
        assert page.status_code == 200
        assert "<img" not in page.text
        assert "onerror" in page.text


async def test_what_is_of_another_team_or_webhook_is_nowhere(site: Site) -> None:
    at, other = await made(site), await made(site)
    one = await posted(site, at, "delivered")
    elsewhere = one.replace(at, other)
    assert (await site.get(elsewhere)).status_code == 404
    assert (await site.get(f"settings/webhooks/{uuid4()}")).status_code == 404
    team, owner = await site.world.add_team()
    theirs = await site.world.send(
        "POST", f"/v1/teams/{team}/webhooks", as_=await site.world.token(owner), json={"name": "Theirs", "url": URL}
    )
    assert (await site.get(f"settings/webhooks/{theirs.json()['id']}")).status_code == 404


async def test_a_member_sees_no_tab_of_webhooks(member: Site) -> None:
    assert "Webhooks" not in said(await member.get("settings"))
