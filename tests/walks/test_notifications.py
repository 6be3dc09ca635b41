"""Whoever asked for a mail gets it, and a webhook its post, from a server as a person starts it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.commands import PATIENCE, Serving, tawny
from tests.notifications.receiver import Post, check
from tests.postgres import eventually

pytestmark = pytest.mark.walk

JOBS = """
from tawny import JobFailed, Run, Tawny

app = Tawny()

@app.job("code_census", label="Code census")
async def census(run: Run, wrong: bool = False) -> dict:
    run.progress(3, 4, "Counted 3 of 4")
    if wrong:
        raise JobFailed("The fourth file is gone\\r\\nBcc: eve@example.com")
    return {"files": 4}
"""


def trigger(serving: Serving, **params: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {serving.key}"}
    team = httpx.get(f"{serving.address}/v1/auth/whoami", headers=headers).json()["team"]["id"]
    project = httpx.get(f"{serving.address}/v1/projects", headers=headers).json()["projects"][0]["id"]
    body = {"job_type": "code_census", "project_id": project, "params": params, "notify": True}
    answer = httpx.post(f"{serving.address}/v1/teams/{team}/jobs/trigger", headers=headers, json=body)
    run: dict[str, Any] = answer.json()["job_run"]
    return run


def mails(folder: Path) -> list[EmailMessage]:
    found = [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
    return [mail for mail in found if isinstance(mail, EmailMessage)]


@pytest.mark.parametrize(("wrong", "verb"), [(False, "completed"), (True, "failed")])
def test_who_triggered_a_run_is_mailed_how_it_ended(tmp_path: Path, wrong: bool, verb: str) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    outbox = tmp_path / ".tawny" / "outbox"
    with Serving(tmp_path, "--port", "0", "--app", "jobs:app") as serving:
        run = trigger(serving.wait_until_up(), wrong=wrong)
        eventually(lambda: bool(mails(outbox)), PATIENCE)
        address = serving.address
        serving.press_ctrl_c()
        assert serving.ended() == 0
    (mail,) = mails(outbox)
    assert mail["Subject"].startswith(f"Code census {verb}")
    assert mail["Message-ID"] == f"<{run['id']}@localhost>"
    assert mail["Bcc"] is None
    text = mail.get_body(("plain",))
    assert text
    assert re.search(rf"{address}/teams/[a-z0-9-]+/runs/{run['id']}\s", text.get_content())
    assert ("The fourth file is gone" in text.get_content()) == wrong
    assert "Traceback" not in serving.out + serving.err


@contextmanager
def mail_server(port: int, folder: Path) -> Iterator[None]:
    """A mail server as a process of its own, which keeps what it takes as files in `folder/new`."""
    command = [
        "-m",
        "aiosmtpd",
        "--nosetuid",
        "--listen",
        f"127.0.0.1:{port}",
        "--class",
        "aiosmtpd.handlers.Mailbox",
        str(folder),
    ]
    process = subprocess.Popen([sys.executable, *command], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_mail_server_that_is_down_delays_a_mail_and_the_operator_sees_that(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    port, taken = free_port(), tmp_path / "taken"
    smtp = {"TAWNY_SMTP_URL": f"smtp://127.0.0.1:{port}"}

    def waiting() -> Any:
        told = tawny(tmp_path, "admin", "deliveries", "--json")
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)["mail"]

    with Serving(tmp_path, "--port", "0", "--app", "jobs:app", **smtp) as serving:
        run = trigger(serving.wait_until_up())
        eventually(lambda: waiting()["last_not_taken"] is not None, PATIENCE)
        found = waiting()
        assert (found["waiting"], found["delivered"], found["last_not_taken"]["error"]) == (1, 0, "SMTPConnectError")
        ended = serving.get(f"/v1/jobs/{run['id']}", serving.key).json()["job_run"]
        assert ended["status"] == "completed", "it does not wait for a mail"
        with mail_server(port, taken):
            eventually(lambda: taken.exists() and any((taken / "new").iterdir()), PATIENCE)
            eventually(lambda: waiting()["delivered"] == 1, PATIENCE)
    assert waiting()["waiting"] == 0
    (path,) = (taken / "new").iterdir()
    mail = BytesParser(policy=default).parsebytes(path.read_bytes())
    assert mail["Message-ID"] == f"<{run['id']}@localhost>"
    assert mail["To"] == "you@localhost"
    assert mail["List-Unsubscribe"].endswith("/settings/mails>")


@contextmanager
def listening(posts: list[Post]) -> Iterator[str]:
    """A program that takes posts at this address."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            posts.append(Post(self.requestline, headers, self.rfile.read(int(headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_is_posted_what_ended_and_how(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    posts: list[Post] = []
    with listening(posts) as url, Serving(tmp_path, "--port", "0", "--app", "jobs:app", TAWNY_PRIVATE_WEBHOOKS="on") as serving:
        key = {"Authorization": f"Bearer {serving.wait_until_up().key}"}
        team = httpx.get(f"{serving.address}/v1/auth/whoami", headers=key).json()["team"]["id"]
        token = json.loads(tawny(tmp_path, "admin", "token", "you@localhost", "--json").stdout)["token"]
        user, at = {"Authorization": f"Bearer {token}"}, f"{serving.address}/v1/teams/{team}/webhooks"
        hook = httpx.post(at, headers=user, json={"name": "Bot", "url": url, "events": ["failed"]}).json()
        run = trigger(serving, wrong=True)
        eventually(lambda: bool(posts), PATIENCE)
        assert check(hook["secret"], posts[0], set(), int(posts[0].headers["webhook-timestamp"])) == "ok"
        assert json.loads(posts[0].body)["data"]["job_run"]["id"] == run["id"]
        log = f"{at}/{hook['id']}/deliveries/{posts[0].headers['webhook-id']}"
        eventually(lambda: httpx.get(log, headers=user).json()["status"] == "delivered", PATIENCE)
        assert hook["secret"] not in serving.out + serving.err
