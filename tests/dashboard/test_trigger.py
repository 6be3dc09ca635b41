"""Run a job from its form."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import SecretStr
from tests.dashboard.site import Site, said

from tawny import Run, Tawny
from tawny.dashboard.fields import fields_of, rest_of, takes_more, typed
from tawny.jobs import Job


def job_of(handler: Any) -> Job:
    app = Tawny()
    app.job("example")(handler)
    return app.jobs["example"]


async def everything(
    run: Run,
    text: str,
    number: int = 3,
    share: float | None = None,
    on: bool = True,
    mode: Literal["a", "b"] = "a",
    rows: list[int] | None = None,
    pin: SecretStr | None = None,
    either: int | str = 1,
) -> None: ...


async def anything(run: Run, known: int = 1, **params: object) -> None: ...


def test_each_param_gets_the_field_that_fits() -> None:
    kinds = {field.name: field.kind for field in fields_of(job_of(everything), {})}
    assert kinds == {
        "text": "text",
        "number": "integer",
        "share": "number",
        "on": "boolean",
        "mode": "choice",
        "rows": "json",
        "pin": "secret",
        "either": "json",
    }


def test_what_was_typed_becomes_params_of_their_types() -> None:
    sent = {"text": "7", "number": "12", "share": "0.5", "mode": "", "rows": "[1, 2]", "pin": "1234", "either": "x"}
    assert typed(job_of(everything), sent, "") == {
        "text": "7",
        "number": 12,
        "share": 0.5,
        "on": False,
        "rows": [1, 2],
        "pin": "1234",
        "either": "x",
    }


@pytest.mark.parametrize("text", ["twelve", "1e999", "NaN", "[", "{" * 5000])
def test_what_does_not_fit_stays_text_for_the_verb_to_refuse(text: str) -> None:
    assert typed(job_of(everything), {"rows": text}, "")["rows"] in (text, float("inf"))


def test_a_form_is_filled_with_what_a_run_had_and_never_with_a_secret() -> None:
    given = {"text": "x", "number": 5, "on": False, "rows": [1], "pin": "1234"}
    values = {field.name: field.value for field in fields_of(job_of(everything), given)}
    assert values == {
        "text": "x",
        "number": "5",
        "share": "",
        "on": "false",
        "mode": "",
        "rows": "[1]",
        "pin": "",
        "either": "",
    }


def test_a_job_that_takes_more_has_a_field_for_it() -> None:
    job = job_of(anything)
    assert takes_more(job)
    assert not takes_more(job_of(everything))
    assert json.loads(rest_of(job, {"known": 2, "more": [1], "project_id": "x"})) == {"more": [1]}
    assert typed(job, {"known": "2"}, '{"more": [1]}') == {"known": 2, "more": [1]}
    assert typed(job, {}, "no JSON") == {"more_params": "no JSON"}


async def test_jobs_are_offered_and_system_jobs_are_not(site: Site) -> None:
    page = said(await site.get("run-a-job"))
    assert "Export export Exports a month." in page
    assert "sweep" not in page
    assert (await site.get("run-a-job", params={"job_type": "sweep"})).status_code == 400


async def test_a_form_makes_a_run_once(site: Site) -> None:
    form = {
        "job_type": "export",
        "project_id": str(site.world.project_id),
        "param.month": "2026-05",
        "param.count": "2",
        "once": "form:1",
    }
    made = await site.post("run-a-job", **form, notify="yes")
    assert made.status_code == 303
    again = await site.post("run-a-job", **form, notify="yes")
    assert again.headers["location"] == made.headers["location"]
    run = (await site.world.view(made.headers["location"].rpartition("/")[2])).json()["job_run"]
    assert run["params"] == {"month": "2026-05", "count": 2, "dry_run": False, "project_id": str(site.world.project_id)}
    assert run["notify"] is True


async def test_what_does_not_fit_is_told_beside_its_field_and_nothing_is_lost(site: Site) -> None:
    form = {"job_type": "export", "project_id": str(site.world.project_id), "param.month": "<b>", "param.count": "many"}
    for path in ("run-a-job", "run-a-job/check"):
        answer = await site.post(path, **form)
        assert "should be a valid integer" in said(answer)
        assert "<b>" not in answer.text
    assert 'value="&lt;b&gt;"' in (await site.post("run-a-job", **form)).text
    assert (await site.world.list()).json()["job_runs"] == []


async def test_a_check_says_that_it_would_start(site: Site) -> None:
    form = {"job_type": "export", "project_id": str(site.world.project_id), "param.count": "2"}
    assert "It fits, and would start now." in said(await site.post("run-a-job/check", **form))
    assert (await site.world.list()).json()["job_runs"] == []


async def test_a_run_that_is_in_the_way_is_linked(site: Site) -> None:
    active = await site.world.made()
    form = {"job_type": "export", "project_id": str(site.world.project_id)}
    for path, status in (("run-a-job", 409), ("run-a-job/check", 200)):
        answer = await site.post(path, **form)
        assert answer.status_code == status
        assert f'href="{site.team}/runs/{active}"' in answer.text


async def test_a_project_of_others_is_none(site: Site) -> None:
    theirs = await site.world.add_project((await site.world.add_team())[0])
    answer = await site.post("run-a-job", job_type="export", project_id=str(theirs))
    assert answer.status_code == 404
    assert "Project not found" in said(answer)


async def test_an_earlier_run_fills_the_form(site: Site) -> None:
    run_id = await site.world.ended(params={"month": "2024-12"})
    page = await site.get("run-a-job", params={"from": str(run_id)})
    assert 'value="2024-12"' in page.text
    assert f"Filled as in the run {str(run_id)[-8:]}" in said(page)
