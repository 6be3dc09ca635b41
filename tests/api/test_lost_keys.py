"""Integrations whose encryption key is gone: the API says so, and lets people enter the secret anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest

from api.world import World
from tawny.integrations import Keyring

CONFIG = {"provider": "revenuecat", "config": {"api_key": "sk_live_nobody_may_see_this"}}


@pytest.fixture
async def path(world: World) -> AsyncIterator[str]:
    """The integrations of a project of which one was connected under a key that the server does not have any more."""
    world.key = await world.add_key("integrations:read", "integrations:write")
    path = f"/v1/projects/{world.project_id}/integrations"
    made = await world.send("POST", path, json=CONFIG)
    assert made.status_code == 201
    state = world.served.api.state.tawny
    world.served.api.state.tawny = replace(state, keyring=Keyring([b"another key of thirty-two bytes!"]))
    yield path
    world.served.api.state.tawny = state


async def test_what_needs_the_secret_is_a_conflict_with_a_sentence(world: World, path: str) -> None:
    target: UUID = await world.add_project()
    answers = [
        await world.send("GET", f"{path}/revenuecat/webhook-setup"),
        await world.send("PATCH", f"{path}/revenuecat", json={"enabled": False}),
        await world.send(
            "POST",
            f"/v1/projects/{target}/integrations/copy-from/{world.project_id}",
            json={"provider": "revenuecat"},
        ),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "cannot_decrypt")
        assert "delete the integration and connect it anew" in answer.json()["error"]


async def test_it_can_be_listed_deleted_and_connected_anew(world: World, path: str) -> None:
    assert len((await world.send("GET", path)).json()["integrations"]) == 1
    assert (await world.send("DELETE", f"{path}/revenuecat")).status_code == 200
    assert (await world.send("POST", path, json=CONFIG)).status_code == 201
    assert (await world.send("GET", f"{path}/revenuecat/webhook-setup")).status_code == 200


async def test_each_answer_is_described(world: World, path: str) -> None:
    described = (await world.send("GET", "/openapi.json", as_=None)).json()["paths"]
    of_one = "/v1/projects/{project_id}/integrations/{provider}"
    assert "409" in described[of_one]["patch"]["responses"]
    assert "409" in described[f"{of_one}/webhook-setup"]["get"]["responses"]
    for method in ("patch", "delete"):
        answer = await world.send(method.upper(), f"{path}/acme", json={"enabled": False} if method == "patch" else None)
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_provider")
        assert "400" in described[of_one][method]["responses"]
