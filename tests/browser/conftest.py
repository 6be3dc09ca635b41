"""A real browser before a real server: `tawny serve` with a worker of its own, and Debian's Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.commands import Serving
from tests.postgres import eventually
from tests.walks.revenuecat import fake_revenuecat, reaching

from tawny.testing.revenuecat import FakeRevenueCat, Options

CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 15_000
"""Milliseconds after which a fact that does not come is taken for a failure."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Town:
    """A server that was started for the first time, and what it printed."""

    serving: Serving
    browser: Browser
    revenuecat: FakeRevenueCat | None = None
    """What integrations of this town talk to."""
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the browser refused or could not do: violations of the policy, errors of scripts."""
    storage: Any = None

    @property
    def address(self) -> str:
        return self.serving.address

    @property
    def link(self) -> str:
        return self._printed(r"^ +(http://\S+/sign-in/link\?token=\S+)$")

    @property
    def team_id(self) -> str:
        return self._printed(r'Made a team "My team" \(([^)]+)\)')

    @property
    def project_id(self) -> str:
        return self._printed(r'a project "first-project" \(([^)]+)\)')

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.serving.out, re.MULTILINE)
        assert found, self.serving.out
        return found[1]

    def window(self, *, signed_in: bool = True, **more: Any) -> Page:
        """A window of a browser of its own."""
        if signed_in and self.storage is None:
            self.storage = self._signed_in()
        context = self.browser.new_context(storage_state=self.storage if signed_in else None, **more)
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective, e.blockedURI))"
        )
        return page

    def project(self, name: str) -> str:
        """A new project of the team."""
        body = {"team_id": self.team_id, "name": name, "slug": f"p-{uuid4().hex[:12]}"}
        answer = self.post("/v1/projects", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _note(self, message: Any) -> None:
        if message.type == "error" and "net::ERR_" not in message.text and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _signed_in(self) -> Any:
        context = self.browser.new_context()
        page = context.new_page()
        page.goto(self.link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/teams/my-team/**")
        storage = context.storage_state()
        context.close()
        return storage

    def sign_in(self, page: Page, address: str) -> None:
        """Sign somebody in by a code, from the page that asks for an address."""
        known = len(self.codes(address))
        page.get_by_label("E-mail address").fill(address)
        page.get_by_role("button", name="Mail me a code").click()
        page.get_by_label("Code").fill(self.next_code(address, known))
        page.get_by_role("button", name="Sign in").click()

    def codes(self, address: str) -> list[str]:
        """The codes that were mailed to an address, oldest first: without a mail server, into the outbox."""
        mails = [mail.read_text() for mail in sorted((self.serving.folder / ".tawny" / "outbox").glob("*.eml"))]
        found = [re.search(r"^Subject: (\d{6}) ", mail, re.MULTILINE) for mail in mails if f"To: {address}" in mail]
        return [code[1] for code in found if code]

    def next_code(self, address: str, known: int) -> str:
        """The code that comes after so many that are known."""
        eventually(lambda: len(self.codes(address)) > known)
        return self.codes(address)[-1]

    def trigger(self, job_type: str, *, project_id: str | None = None, **params: Any) -> str:
        """A new run, as a program asks for it."""
        body = {"job_type": job_type, "project_id": project_id or self.project_id, "params": params}
        answer = self.post(f"/v1/teams/{self.team_id}/jobs/trigger", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job_run"]["id"])

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", json=body, headers={"authorization": f"Bearer {self.serving.key}"}, timeout=10)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API as whoever is signed in, and return its answer."""
        self.storage = self.storage or self._signed_in()
        session = next(cookie["value"] for cookie in self.storage["cookies"] if cookie["name"] == "tawny_session")
        headers = {"authorization": f"Bearer {session}"}
        answer = httpx.request(method, f"{self.address}{path}", json=body, headers=headers, timeout=10)
        assert answer.is_success, answer.text
        return answer.json()

    def ended(self, run_id: str) -> None:
        """Wait until a run has ended."""
        eventually(lambda: self.run(run_id)["completed_at"] is not None)

    def run(self, run_id: str) -> Any:
        return self.serving.get(f"/v1/jobs/{run_id}", self.serving.key).json()["job_run"]

    def path(self, path: str) -> str:
        """The full address of a page of the team."""
        return f"{self.address}/teams/my-team/{path}"

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()


@pytest.fixture(scope="session")
def revenuecat() -> Iterator[FakeRevenueCat]:
    with fake_revenuecat(Options(customers=25, seed=1)) as fake:
        yield fake


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory, revenuecat: FakeRevenueCat) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("town")
    shutil.copy(Path(__file__).with_name("author.py"), folder)
    settings = {"TAWNY_PRIVATE_WEBHOOKS": "on"} | reaching(revenuecat)
    with Serving(folder, "--port", "0", "--app", "author:app", command="serve", **settings) as serving:
        yield serving.wait_until_up()


@pytest.fixture(scope="session")
def one_town(serving: Serving, chromium: Browser, revenuecat: FakeRevenueCat) -> Town:
    return Town(serving, chromium, revenuecat)


@pytest.fixture
def town(one_town: Town) -> Iterator[Town]:
    """The town with all its windows closed, where nobody has complained yet."""
    one_town.complaints.clear()
    yield one_town
    one_town.close()
    assert one_town.complaints == []
