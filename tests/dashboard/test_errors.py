"""What runs fail of, on one page."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.dashboard.site import Site, said

from tawny.history import error_groups


async def failed(site: Site, error: str | None, **body: object) -> None:
    _, claimed = await site.world.running(**body)
    await site.world.finish(claimed, "failed", error=error)


def hrefs(page: str, words: str) -> list[str]:
    """Where the links with these words lead."""
    return [unescape(href) for href in re.findall(rf'<a[^>]*href="([^"]+)"[^>]*>{words}</a>', page)]


async def test_a_group_says_how_often_and_leads_to_its_runs(site: Site) -> None:
    for code in (1, 2):
        await failed(site, f"code {code}")
    await failed(site, "no rows")
    page = await site.get("errors")
    assert "code 2 export · the newest run 2" in said(page)
    assert "3 failed runs in 2 groups" in said(page)
    (runs, _) = hrefs(page.text, r"\d+")
    listed = await site.get(runs)
    assert listed.text.count("data-run=") == 2
    assert "error: of one kind" in said(listed)
    assert "Failed 2" in said(listed)
    newest = await site.get(hrefs(page.text, "the newest run")[0])
    assert "code 2" in said(newest)


async def test_a_group_is_retried_after_a_question_that_counts_it(site: Site) -> None:
    for code in (1, 2):
        await failed(site, f"code {code}")
    await failed(site, "no rows")
    ask = hrefs((await site.get("errors")).text, "Retry…")[0]
    asked = await site.fragment(ask)
    assert "Retry 2 runs?" in said(asked)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
    fields.pop("csrf")
    done = await site.post("runs/bulk", **fields)
    assert done.status_code == 303
    bulk = await site.get(done.headers["location"])
    assert "tawny.bulk" in said(bulk)
    assert fields["fingerprint"] in said(bulk)


async def test_filters_are_kept_on_the_way_to_the_runs(site: Site) -> None:
    other = await site.world.add_project()
    await failed(site, "no rows", project_id=str(other))
    await failed(site, "no rows")
    page = await site.get("errors", params={"project_id": str(other), "job_type": "export", "since": "1h"})
    (runs,) = hrefs(page.text, "1")
    assert f"project_id={other}" in runs
    assert "since=1h" in runs
    assert (await site.get(runs)).text.count("data-run=") == 1


async def test_there_is_nothing_yet(site: Site) -> None:
    assert "Nothing has failed" in said(await site.get("errors"))
    assert "No failed run matches" in said(await site.get("errors", params={"since": "1h"}))


async def test_where_looking_stopped_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(error_groups.__globals__, "LOOKED_AT", 2)
    monkeypatch.setitem(error_groups.__globals__, "SHOWN", 1)
    for error in ("a", "b", "c"):
        await failed(site, error)
    page = said(await site.get("errors"))
    assert "The newest 2 failed runs are grouped" in page
    assert "The 1 largest groups are shown" in page


async def test_an_error_is_text_whatever_is_in_it(site: Site) -> None:
    payload = '<img src=x onerror="alert(1)">'
    await failed(site, payload)
    await failed(site, None, job_type="import")
    page = await site.get("errors")
    assert payload not in page.text
    assert "onerror" in said(page)
    assert "It failed without a word." in said(page)


async def test_htmx_is_sent_the_groups_alone(site: Site) -> None:
    await failed(site, "no rows")
    part = await site.fragment("errors")
    assert "<html" not in part.text
    assert 'id="groups"' in part.text
