"""Without a mail server mails go into files that the operator can open, and nobody else."""

from __future__ import annotations

import os
import stat
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tawny.mail import Mail, Mailer
from tawny.mail.outbox import Outbox

CODE = Mail(
    "ann@example.com", "123456 is your code for Tawny", "Your code is 123456\n", "sign-in code for ann@example.com: 123456"
)


@pytest.fixture
def permissive() -> object:
    """As on a machine where files are made for everybody to read."""
    before = os.umask(0)
    yield
    os.umask(before)


async def test_a_mail_is_a_file_that_only_this_user_reads(tmp_path: Path, permissive: object) -> None:
    await Outbox(tmp_path / "state", None).send(CODE)
    (path,) = (tmp_path / "state" / "outbox").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.suffix == ".eml"
    message = BytesParser(policy=default).parsebytes(path.read_bytes())
    assert (str(message["To"]), message["Subject"]) == (CODE.to, CODE.subject)
    assert str(message["From"]) == "Tawny <tawny@localhost>"
    assert CODE.text.strip() in message.get_content()


async def test_the_operator_is_told_what_somebody_waits_for_and_where_it_is(tmp_path: Path) -> None:
    with capture_logs() as logs:
        await Outbox(tmp_path, None).send(CODE)
    (path,) = (tmp_path / "outbox").iterdir()
    assert logs == [{"event": CODE.gist, "log_level": "info", "mail": str(path)}]


async def test_the_newest_mail_is_the_last_by_name_and_none_is_overwritten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "me@mail.example")
    for number in range(20):
        await outbox.send(Mail(f"a{number}@example.com", "S", "T", "g"))
    mails = [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in sorted((tmp_path / "outbox").iterdir())]
    assert [str(mail["To"]) for mail in mails] == [f"a{number}@example.com" for number in range(20)]
    assert {str(mail["From"]) for mail in mails} == {"Tawny <me@mail.example>"}


async def test_the_settings_say_where_mails_go(tmp_path: Path) -> None:
    from tawny.config import Settings
    from tawny.mail.smtp import Smtp

    assert isinstance(Mailer.of(Settings(data_dir=tmp_path))._channel, Outbox)
    with_server = Settings(data_dir=tmp_path, smtp_url="smtp://mail.example", mail_from="me@mail.example")
    assert isinstance(Mailer.of(with_server)._channel, Smtp)
