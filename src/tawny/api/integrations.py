"""What a project is connected to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from tawny import integrations
from tawny.access import VIEW_INTEGRATIONS, WRITE_INTEGRATIONS, find_project_for
from tawny.api.answers import Answer, answered
from tawny.api.call import Call
from tawny.api.envelope import Answered, Strict, checked
from tawny.api.operation import operation
from tawny.api.projects import Deleted, actor_in_project
from tawny.errors import InvalidRequest

TAG: Final = "Integrations"
PATH: Final = "/v1/projects/{project_id}/integrations"


class NewIntegrationBody(Strict):
    """A service to connect to."""

    provider: str = Field(description="One of `GET …/integrations/providers`.")
    config: dict[str, Any] = Field(description="What that provider's `configFields` ask for.")


class IntegrationBody(Strict):
    """What to change. What is left out stays as it is."""

    config: dict[str, Any] | None = None
    enabled: bool | None = None


class CopyBody(Strict):
    """Which integration to copy."""

    provider: str


class ConfigFieldOut(Answered):
    """One thing that a provider needs to know."""

    key: str
    label: str
    required: bool
    sensitive: bool
    placeholder: str | None
    description: str | None


class ProviderOut(Answered):
    """A service."""

    id: str
    name: str
    description: str
    configFields: list[ConfigFieldOut]  # noqa: N815 (the name on the wire)


class Providers(Answered):
    """All there are."""

    providers: list[ProviderOut]


class Integration(Answered):
    """A project's connection to a service."""

    id: UUID
    project_id: UUID
    provider: str
    config: dict[str, str] = Field(description="Of each secret the first four characters.")
    enabled: bool
    created_at: datetime
    updated_at: datetime


class Integrations(Answered):
    """Oldest first."""

    integrations: list[Integration]


class WebhookSetup(Answered):
    """What to enter at the service, so that it calls."""

    webhook_url: str
    authorization_header: str
    environment: str
    events_filter: str


class NewIntegration(Integration):
    """An integration, and what to enter at the service."""

    webhook_setup: WebhookSetup


class WebhookSetupAnswer(Answered):
    """What to enter at the service."""

    webhook_setup: WebhookSetup


@operation("GET", f"{PATH}/providers", tag=TAG, answer=Providers, refuses=(403, 404))
async def list_providers(call: Call) -> Answer:
    """List the services that a project can be connected to. Needs a key with `integrations:read`, or a member."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        await find_project_for(conn, actor, call.id("project_id"), VIEW_INTEGRATIONS)
    return answered({"providers": [_provider(provider) for provider in integrations.PROVIDERS.values()]})


@operation("GET", PATH, tag=TAG, answer=Integrations, refuses=(403, 404))
async def list_integrations(call: Call) -> Answer:
    """List what a project is connected to. Needs a key with `integrations:read`, or a member of its team."""
    actor = await call.actor()
    async with call.state.pool.acquire() as conn:
        found = await integrations.list_integrations(conn, actor, call.id("project_id"))
    return answered({"integrations": [_shown(integration) for integration in found]})


@operation("POST", PATH, tag=TAG, answer=NewIntegration, status=201, body=NewIntegrationBody, refuses=(403, 404, 409))
async def create_integration(call: Call) -> Answer:
    """Connect a project to a service. Needs a key with `integrations:write`, or the role admin or owner.

    One that was deleted comes back under its id.
    """
    actor = await actor_in_project(call, WRITE_INTEGRATIONS)
    body, project_id = checked(NewIntegrationBody, await call.body()), call.id("project_id")
    async with call.state.pool.transaction() as conn:
        saved = await integrations.connect(
            conn, actor, call.state.keyring, project_id, provider=body.provider, config=_given(body.config)
        )
    return answered(_with_setup(call, saved), 201)


@operation("PATCH", f"{PATH}/{{provider}}", tag=TAG, answer=Integration, body=IntegrationBody, refuses=(403, 404, 409))
async def update_integration(call: Call) -> Answer:
    """Change some of the config, or turn it off or on. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_INTEGRATIONS)
    body = checked(IntegrationBody, await call.body())
    if body.config is None and body.enabled is None:
        raise InvalidRequest("Nothing to change: send a config, enabled or both.", code="nothing_to_change")
    async with call.state.pool.transaction() as conn:
        changed = await integrations.update(
            conn,
            actor,
            call.state.keyring,
            call.id("project_id"),
            call.text("provider"),
            config=_given(body.config or {}),
            enabled=body.enabled,
        )
    return answered(_shown(changed))


@operation("DELETE", f"{PATH}/{{provider}}", tag=TAG, answer=Deleted, refuses=(400, 403, 404))
async def delete_integration(call: Call) -> Answer:
    """Forget an integration and its secrets. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await call.actor()
    actor.teams_for(WRITE_INTEGRATIONS)
    async with call.state.pool.transaction() as conn:
        await integrations.disconnect(conn, actor, call.id("project_id"), call.text("provider"))
    return answered({"deleted": True})


@operation(
    "POST",
    f"{PATH}/copy-from/{{source_project_id}}",
    tag=TAG,
    answer=NewIntegration,
    status=201,
    body=CopyBody,
    refuses=(403, 404, 409),
)
async def copy_integration(call: Call) -> Answer:
    """Connect a project as another one of its team is. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await actor_in_project(call, WRITE_INTEGRATIONS)
    body = checked(CopyBody, await call.body())
    async with call.state.pool.transaction() as conn:
        saved = await integrations.copy(
            conn, actor, call.state.keyring, call.id("project_id"), call.id("source_project_id"), provider=body.provider
        )
    return answered(_with_setup(call, saved), 201)


@operation("GET", f"{PATH}/{{provider}}/webhook-setup", tag=TAG, answer=WebhookSetupAnswer, refuses=(400, 403, 404, 409))
async def webhook_setup(call: Call) -> Answer:
    """See what to enter at the service, so that it calls. Needs a key with `integrations:write`, or the role admin or owner."""
    actor = await call.actor()
    actor.teams_for(WRITE_INTEGRATIONS)
    project_id, provider = call.id("project_id"), call.text("provider")
    async with call.state.pool.acquire() as conn:
        secret = await integrations.webhook_secret(conn, actor, call.state.keyring, project_id, provider)
    return answered({"webhook_setup": webhook_setup_of(call, project_id, provider, secret)})


OPERATIONS: Final = (
    list_providers,
    list_integrations,
    create_integration,
    update_integration,
    delete_integration,
    copy_integration,
    webhook_setup,
)


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    """Null means absent."""
    return {key: value for key, value in config.items() if value is not None}


def _provider(provider: integrations.Provider) -> dict[str, Any]:
    fields = [asdict(field) for field in provider.fields]
    return {"id": provider.id, "name": provider.name, "description": provider.description, "configFields": fields}


def _shown(integration: integrations.Integration) -> dict[str, Any]:
    return {
        "id": integration.id,
        "project_id": integration.project_id,
        "provider": integration.provider,
        "config": integration.config,
        "enabled": integration.enabled,
        "created_at": integration.created_at,
        "updated_at": integration.updated_at,
    }


def _with_setup(call: Call, saved: integrations.Saved) -> dict[str, Any]:
    made = saved.integration
    setup = webhook_setup_of(call, made.project_id, made.provider, saved.webhook_secret)
    return _shown(made) | {"webhook_setup": setup}


def webhook_setup_of(call: Call, project_id: UUID, provider: str, secret: str) -> dict[str, str]:
    """What to enter at the service, so that it calls."""
    return {
        "webhook_url": f"{call.public_url}/v1/webhooks/{provider}/{project_id}",
        "authorization_header": f"Bearer {secret}",
        "environment": "Both Production and Sandbox",
        "events_filter": "All apps, All events",
    }
