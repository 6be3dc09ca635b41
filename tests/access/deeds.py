"""Every verb that changes something, done once: what the audit log has to say of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.access.door import ANN, CLIENT, SECRET
from tests.runs.conftest import app

from tawny import access, builtin, integrations, notifications, runs, schedules
from tawny.access import Action, Actor, Attempt, Resource
from tawny.access.codes import make_code
from tawny.db.pool import Connection
from tawny.integrations import Keyring, revenuecat
from tawny.integrations.revenuecat import RevenueCat, sync_job
from tawny.integrations.revenuecat.subscriber import Known
from tawny.notifications.target import read_url
from tawny.runs import Filter

HOST = Actor.host()
KEYRING = Keyring([b"k" * 32])
CONFIG = {"api_key": "sk_this_is_the_secret_of_another_service"}
PROVIDER = "revenuecat"
REACHED = RevenueCat(keyring=lambda: KEYRING, url="http://127.0.0.1:9", rate=0)


@dataclass
class Office:
    """A team with an owner and a project, and the ways to prepare what is to be done in it."""

    conn: Connection
    team_id: UUID
    owner: Actor
    project_id: UUID

    @staticmethod
    async def open(conn: Connection) -> Office:
        made = await access.create_team(conn, HOST, name="Acme", owner_email="olive@example.com")
        owner = Actor("user", made.user_id, {made.team_id: "owner"}, user_id=made.user_id)
        project = await access.create_project(conn, owner, made.team_id, name="Web", slug="web")
        return Office(conn, made.team_id, owner, project.id)

    async def project(self) -> UUID:
        return (await access.create_project(self.conn, self.owner, self.team_id, name="More", slug="more")).id

    async def member(self) -> Actor:
        user_id = await access.add_member(self.conn, HOST, self.team_id, email=ANN, role="member")
        return Actor("user", user_id, {self.team_id: "member"}, user_id=user_id)

    async def invitation(self) -> UUID:
        return (await access.invite(self.conn, self.owner, self.team_id, email=ANN, role="member")).id

    async def key(self) -> tuple[UUID, str]:
        key, text = await access.create_key(self.conn, self.owner, self.team_id, name="ci", permissions=["jobs:read"])
        return key.id, text

    async def run(self, **more: Any) -> UUID:
        where = {"team_id": self.team_id, "project_id": self.project_id}
        return (await runs.trigger(self.conn, self.owner, app.jobs["export"], **where, **more)).id

    async def schedule(self) -> schedules.Schedule:
        params = {"month": "a-secret-of-theirs"}
        return await schedules.create_schedule(
            self.conn, self.owner, app.jobs, self.project_id, job_type="export", cron="0 2 * * *", params=params
        )

    async def connect(self) -> integrations.Saved:
        return await integrations.connect(self.conn, self.owner, KEYRING, self.project_id, provider=PROVIDER, config=CONFIG)

    def left(self, action: Action, resource: Resource, about: UUID, *, by: Actor | None = None, **more: Any) -> Left:
        """What the owner, unless somebody else, did in this team, unless it was elsewhere."""
        return Left(action, resource, about, by or self.owner, **({"team_id": self.team_id} | more))


@dataclass(frozen=True)
class Left:
    """The row that has to be there, and what must not be in it."""

    action: Action
    resource: Resource
    about: UUID
    by: Actor
    team_id: UUID | None
    secrets: tuple[str, ...] = ()


Deed = Callable[[Office], AsyncIterator[Left | None]]
"""Prepares, stops, and then does one thing and says what it has to leave."""

DEEDS: dict[str, Deed] = {}
"""By the name of the verb."""


def of(verb: str) -> Callable[[Deed], Deed]:
    def enter(deed: Deed) -> Deed:
        DEEDS[verb] = deed
        return deed

    return enter


@of("access.create_team")
async def create_team(office: Office) -> AsyncIterator[Left | None]:
    yield None
    made = await access.create_team(office.conn, HOST, name="New", owner_email="new@example.com")
    yield office.left("create", "team", made.team_id, by=HOST, team_id=made.team_id)


@of("access.make_token")
async def make_token(office: Office) -> AsyncIterator[Left | None]:
    yield None
    _, token = await access.make_token(office.conn, HOST, SECRET, ANN)
    session_id = access.read_token(SECRET, token).session_id
    yield office.left("create", "session", session_id, by=HOST, team_id=None, secrets=(token, token.rpartition(".")[2]))


@of("access.make_link")
async def make_link(office: Office) -> AsyncIterator[Left | None]:
    yield None
    user_id, token = await access.make_link(office.conn, HOST, ANN)
    yield office.left("create", "sign_in_link", user_id, by=HOST, team_id=None, secrets=(token,))


@of("access.follow_link")
async def follow_link(office: Office) -> AsyncIterator[Left | None]:
    user_id, token = await access.make_link(office.conn, HOST, ANN)
    yield None
    session = await access.follow_link(office.conn, SECRET, token, client=CLIENT)
    assert session
    by = Actor("user", user_id, user_id=user_id)
    session_id = access.read_token(SECRET, session).session_id
    yield office.left("create", "session", session_id, by=by, team_id=None, secrets=(token, session))


@of("access.verify_code")
async def verify_code(office: Office) -> AsyncIterator[Left | None]:
    member, code = await office.member(), await make_code(office.conn, SECRET, ANN)
    yield None
    made = await access.verify_code(office.conn, SECRET, Attempt(ANN, code, CLIENT), signup=True)
    assert made
    session_id = access.read_token(SECRET, made.token).session_id
    secrets = (made.token, made.token.rpartition(".")[2], f'"{code}"')
    yield office.left("create", "session", session_id, by=member, team_id=None, secrets=secrets)


@of("access.verify_code, of somebody new")
async def verify_code_of_somebody_new(office: Office) -> AsyncIterator[Left | None]:
    code = await make_code(office.conn, SECRET, ANN)
    yield None
    made = await access.verify_code(office.conn, SECRET, Attempt(ANN, code, CLIENT), signup=True)
    assert made
    by = Actor("user", made.user.id)
    yield office.left("create", "session", access.read_token(SECRET, made.token).session_id, by=by, team_id=None)


@of("access.agent_login")
async def agent_login(office: Office) -> AsyncIterator[Left | None]:
    member, code = await office.member(), await make_code(office.conn, SECRET, ANN)
    yield None
    made = await access.agent_login(office.conn, SECRET, Attempt(ANN, code, CLIENT), team_id=None, signup=True)
    assert made
    key_id = await office.conn.fetchval("select id from api_keys")
    yield office.left("create", "api_key", key_id, by=member, secrets=(made.api_key, made.api_key[6:36], f'"{code}"'))


@of("access.end_session")
async def end_session(office: Office) -> AsyncIterator[Left | None]:
    session_id, token = await access.open_session(office.conn, SECRET, office.owner.id)
    by = Actor("user", office.owner.id, session_id=session_id)
    yield None
    await access.end_session(office.conn, by)
    yield office.left("delete", "session", session_id, by=by, team_id=None, secrets=(token,))


@of("access.create_key")
async def create_key(office: Office) -> AsyncIterator[Left | None]:
    yield None
    key_id, text = await office.key()
    yield office.left("create", "api_key", key_id, secrets=(text, text[6:36]))


@of("access.revoke_key")
async def revoke_key(office: Office) -> AsyncIterator[Left | None]:
    key_id, text = await office.key()
    yield None
    await access.revoke_key(office.conn, office.owner, office.team_id, key_id)
    yield office.left("delete", "api_key", key_id, secrets=(text, text[6:36]))


@of("access.add_member")
async def add_member(office: Office) -> AsyncIterator[Left | None]:
    yield None
    user_id = await access.add_member(office.conn, HOST, office.team_id, email=ANN, role="member")
    yield office.left("create", "member", user_id, by=HOST)


@of("access.set_role")
async def set_role(office: Office) -> AsyncIterator[Left | None]:
    member = await office.member()
    yield None
    await access.set_role(office.conn, office.owner, office.team_id, member.id, "admin")
    yield office.left("update", "member", member.id)


@of("access.remove_member")
async def remove_member(office: Office) -> AsyncIterator[Left | None]:
    member = await office.member()
    yield None
    await access.remove_member(office.conn, member, office.team_id, member.id)
    yield office.left("delete", "member", member.id, by=member)


@of("access.invite")
async def invite(office: Office) -> AsyncIterator[Left | None]:
    yield None
    yield office.left("create", "invitation", await office.invitation())


@of("access.withdraw")
async def withdraw(office: Office) -> AsyncIterator[Left | None]:
    invitation_id = await office.invitation()
    yield None
    await access.withdraw(office.conn, office.owner, office.team_id, invitation_id)
    yield office.left("delete", "invitation", invitation_id)


@of("access.accept")
async def accept(office: Office) -> AsyncIterator[Left | None]:
    invitation_id, user_id = await office.invitation(), await access.ensure_user(office.conn, ANN)
    ann = Actor("user", user_id)
    yield None
    await access.accept(office.conn, ann, invitation_id)
    yield office.left("create", "member", user_id, by=ann)


@of("access.create_project")
async def create_project(office: Office) -> AsyncIterator[Left | None]:
    yield None
    yield office.left("create", "project", await office.project())


@of("access.update_project")
async def update_project(office: Office) -> AsyncIterator[Left | None]:
    yield None
    await access.update_project(office.conn, office.owner, office.project_id, name="Shop")
    yield office.left("update", "project", office.project_id)


@of("access.delete_project")
async def delete_project(office: Office) -> AsyncIterator[Left | None]:
    yield None
    await access.delete_project(office.conn, office.owner, office.project_id)
    yield office.left("delete", "project", office.project_id)


@of("runs.delete_project")
async def delete_project_and_its_runs(office: Office) -> AsyncIterator[Left | None]:
    await office.run()
    yield None
    await runs.delete_project(office.conn, office.owner, office.project_id)
    yield office.left("delete", "project", office.project_id)


@of("runs.trigger")
async def trigger(office: Office) -> AsyncIterator[Left | None]:
    yield None
    run_id = await office.run(params={"month": "a-secret-of-theirs"})
    yield office.left("create", "job_run", run_id, secrets=("a-secret-of-theirs",))


@of("runs.retry")
async def retry(office: Office) -> AsyncIterator[Left | None]:
    ended = await office.run()
    await runs.cancel(office.conn, office.owner, ended, include_pending=True)
    yield None
    made = await runs.retry(office.conn, office.owner, ended, app.jobs)
    yield office.left("create", "job_run", made.id)


@of("runs.cancel")
async def cancel(office: Office) -> AsyncIterator[Left | None]:
    run_id = await office.run()
    worker_id = await runs.enlist(office.conn, name="test:1", version="0", lease=60)
    await runs.claim(office.conn, worker_id, job_types=["export"], slots=1)
    yield None
    assert await runs.cancel(office.conn, office.owner, run_id) == worker_id
    yield office.left("update", "job_run", run_id)


@of("runs.cancel, of a pending run")
async def cancel_a_pending_run(office: Office) -> AsyncIterator[Left | None]:
    run_id = await office.run()
    yield None
    await runs.cancel(office.conn, office.owner, run_id, include_pending=True)
    yield office.left("update", "job_run", run_id)


@of("runs.trigger_builtin")
async def trigger_builtin(office: Office) -> AsyncIterator[Left | None]:
    await office.run()
    yield None
    asked = await builtin.ask(office.conn, office.owner, office.team_id, "cancel", Filter())
    assert asked.run
    yield office.left("create", "job_run", asked.run.id)


@of("runs.trigger_system")
async def trigger_system(office: Office) -> AsyncIterator[Left | None]:
    yield None
    made = await runs.trigger_system(office.conn, HOST, app.jobs["sweep"])
    yield office.left("create", "job_run", made.id, by=HOST, team_id=None)


@of("schedules.create_schedule")
async def create_schedule(office: Office) -> AsyncIterator[Left | None]:
    yield None
    made = await office.schedule()
    yield office.left("create", "schedule", made.id, secrets=("a-secret-of-theirs",))


@of("schedules.update_schedule")
async def update_schedule(office: Office) -> AsyncIterator[Left | None]:
    made = await office.schedule()
    yield None
    params = {"month": "another-secret"}
    await schedules.update_schedule(office.conn, office.owner, app.jobs, office.project_id, made.id, params=params, enabled=False)
    yield office.left("update", "schedule", made.id, secrets=("a-secret-of-theirs", "another-secret"))


@of("schedules.delete_schedule")
async def delete_schedule(office: Office) -> AsyncIterator[Left | None]:
    made = await office.schedule()
    yield None
    await schedules.delete_schedule(office.conn, office.owner, office.project_id, made.id)
    yield office.left("delete", "schedule", made.id)


@of("schedules.run_now")
async def run_now(office: Office) -> AsyncIterator[Left | None]:
    made = await office.schedule()
    yield None
    run = await schedules.run_now(office.conn, office.owner, app.jobs, office.project_id, made.id)
    yield office.left("create", "job_run", run.id, secrets=("a-secret-of-theirs",))


@of("integrations.connect")
async def connect(office: Office) -> AsyncIterator[Left | None]:
    yield None
    saved = await office.connect()
    yield office.left("create", "integration", saved.integration.id, secrets=secrets_of(saved))


@of("integrations.copy")
async def copy(office: Office) -> AsyncIterator[Left | None]:
    saved, project_id = await office.connect(), await office.project()
    yield None
    copied = await integrations.copy(office.conn, office.owner, KEYRING, project_id, office.project_id, provider=PROVIDER)
    secrets = secrets_of(saved) + secrets_of(copied)
    yield office.left("create", "integration", copied.integration.id, secrets=secrets)


@of("integrations.update")
async def update(office: Office) -> AsyncIterator[Left | None]:
    saved = await office.connect()
    yield None
    config = {"api_key": "sk_another_secret_of_theirs"}
    await integrations.update(office.conn, office.owner, KEYRING, office.project_id, PROVIDER, config=config, enabled=False)
    yield office.left("update", "integration", saved.integration.id, secrets=(*secrets_of(saved), *config.values(), "sk_a"))


@of("integrations.disconnect")
async def disconnect(office: Office) -> AsyncIterator[Left | None]:
    saved = await office.connect()
    yield None
    await integrations.disconnect(office.conn, office.owner, office.project_id, PROVIDER)
    yield office.left("delete", "integration", saved.integration.id, secrets=secrets_of(saved))


@of("revenuecat.ask_for_sync")
async def ask_for_sync(office: Office) -> AsyncIterator[Left | None]:
    await office.connect()
    connected = await revenuecat.find_connected(office.conn, office.owner, REACHED, office.project_id)
    yield None
    asked = await revenuecat.ask_for_sync(office.conn, office.owner, sync_job(REACHED), connected)
    yield office.left("create", "job_run", asked.run.id, secrets=(CONFIG["api_key"],))


@of("revenuecat.keep")
async def keep(office: Office) -> AsyncIterator[Left | None]:
    await office.connect()
    owner = (await revenuecat.find_connected(office.conn, office.owner, REACHED, office.project_id)).owner
    found = Known("ann", "ann", "active", True, ("pro",), {"rc_status": "active"}, {}, 999, None, datetime.now(UTC))
    yield None
    await revenuecat.keep(office.conn, office.owner, owner, found, 0)
    yield office.left("update", "subscriber", owner.id_of("ann"), secrets=(CONFIG["api_key"],))


@of("integrations.reencrypt")
async def reencrypt(office: Office) -> AsyncIterator[Left | None]:
    saved = await office.connect()
    yield None
    await integrations.reencrypt(office.conn, HOST, KEYRING)
    yield office.left("update", "integration", UUID(int=0), by=HOST, team_id=None, secrets=secrets_of(saved))


@of("notifications.set_preferences")
async def set_preferences(office: Office) -> AsyncIterator[Left | None]:
    member = await office.member()
    yield None
    await notifications.set_preferences(office.conn, member, office.team_id, ["failed"])
    yield office.left("update", "preferences", member.id, by=member)


async def webhook_of(office: Office) -> notifications.NewWebhook:
    target = read_url("https://8.8.8.8/a-secret-of-theirs", private=False)
    return await notifications.create_webhook(office.conn, office.owner, KEYRING, office.team_id, name="Bot", target=target)


def secrets_of_webhook(made: notifications.NewWebhook) -> tuple[str, ...]:
    return (made.secret, made.secret[6:], "a-secret-of-theirs")


@of("notifications.create_webhook")
async def create_webhook(office: Office) -> AsyncIterator[Left | None]:
    yield None
    made = await webhook_of(office)
    yield office.left("create", "webhook", made.webhook.id, secrets=secrets_of_webhook(made))


@of("notifications.update_webhook")
async def update_webhook(office: Office) -> AsyncIterator[Left | None]:
    made = await webhook_of(office)
    yield None
    target = read_url("https://8.8.4.4/another-secret-of-theirs", private=False)
    await notifications.update_webhook(
        office.conn, office.owner, KEYRING, office.team_id, made.webhook.id, target=target, enabled=False
    )
    yield office.left("update", "webhook", made.webhook.id, secrets=(*secrets_of_webhook(made), "another-secret-of-theirs"))


@of("notifications.rotate_secret")
async def rotate_secret(office: Office) -> AsyncIterator[Left | None]:
    old = await webhook_of(office)
    yield None
    new = await notifications.rotate_secret(office.conn, office.owner, KEYRING, office.team_id, old.webhook.id)
    secrets = (*secrets_of_webhook(old), *secrets_of_webhook(new))
    yield office.left("update", "webhook", new.webhook.id, secrets=secrets)


@of("notifications.delete_webhook")
async def delete_webhook(office: Office) -> AsyncIterator[Left | None]:
    made = await webhook_of(office)
    yield None
    await notifications.delete_webhook(office.conn, office.owner, office.team_id, made.webhook.id)
    yield office.left("delete", "webhook", made.webhook.id, secrets=secrets_of_webhook(made))


@of("notifications.send_test")
async def send_test(office: Office) -> AsyncIterator[Left | None]:
    made = await webhook_of(office)
    yield None
    posted = await notifications.send_test(office.conn, office.owner, office.team_id, made.webhook.id)
    yield office.left("create", "delivery", posted.id, secrets=secrets_of_webhook(made))


@of("notifications.redeliver")
async def redeliver(office: Office) -> AsyncIterator[Left | None]:
    made = await webhook_of(office)
    posted = await notifications.send_test(office.conn, office.owner, office.team_id, made.webhook.id)
    await office.conn.execute("update deliveries set status = 'failed', ended_at = now()")
    yield None
    await notifications.redeliver(office.conn, office.owner, office.team_id, made.webhook.id, posted.id)
    yield office.left("update", "delivery", posted.id, secrets=secrets_of_webhook(made))


@of("notifications.reencrypt")
async def reencrypt_webhooks(office: Office) -> AsyncIterator[Left | None]:
    made = await webhook_of(office)
    yield None
    await notifications.reencrypt(office.conn, HOST, KEYRING)
    yield office.left("update", "webhook", UUID(int=0), by=HOST, team_id=None, secrets=secrets_of_webhook(made))


def secrets_of(saved: integrations.Saved) -> tuple[str, ...]:
    """Whole, and as far as people may see them elsewhere."""
    return (*CONFIG.values(), saved.webhook_secret, "sk_t", "whsec")
