"""Settings: where they come from, which one wins, and what is said when one is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tawny.config import Settings, duration
from tawny.errors import SettingsError

PASSWORD = "hunter2-hunter2"
URL = f"postgresql://tawny:{PASSWORD}@db.example/tawny"


def load(folder: Path, toml: str = "", environ: dict[str, str] | None = None, **overrides: Any) -> Settings:
    folder.joinpath("tawny.toml").write_text(toml)
    return Settings.load(environ or {}, overrides, folder)


def refusal(folder: Path, toml: str = "", environ: dict[str, str] | None = None, **overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, toml, environ, **overrides)
    return str(caught.value)


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = Settings.load({}, folder=tmp_path)
    assert settings.data_dir == tmp_path / ".tawny"
    assert (settings.host, settings.port, settings.lease, settings.notify) == ("127.0.0.1", 8585, 15.0, True)
    assert settings.app == "tawny.demo:app"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    settings = load(
        tmp_path, "port = 1\nconcurrency = 1\ndrain = 1", {"TAWNY_PORT": "2", "TAWNY_DRAIN": "2s"}, port=3, drain=None
    )
    assert (settings.concurrency, settings.drain, settings.port) == (1, 2.0, 3)
    assert [settings.source(name) for name in ("concurrency", "drain", "port", "lease")] == [
        "tawny.toml",
        "environment",
        "command line",
        "default",
    ]


@pytest.mark.parametrize("text", ["on", "true", "1"])
def test_switches_are_on_or_off(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, environ={"TAWNY_SIGNUP": text}).signup is True
    assert load(tmp_path, environ={"TAWNY_SIGNUP": "off"}).signup is False
    assert "should be on or off" in refusal(tmp_path, environ={"TAWNY_SIGNUP": "perhaps"})


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172_800), ("7", 7), ("0.5", 0.5), ("1.5 h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1s", "1w", "nan", "inf", "1e3", "1h30m", "9" * 400])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="should be a duration such as 30s"):
        duration(text)


@pytest.mark.parametrize("text", ["0.9", "11m"])
def test_a_lease_is_between_a_second_and_ten_minutes(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, environ={"TAWNY_LEASE": text}).startswith("TAWNY_LEASE in the environment should be")
    assert load(tmp_path, environ={"TAWNY_LEASE": "1m"}).lease == 60


def test_an_unknown_variable_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, environ={"TAWNY_DATABSE_URL": URL})
        == "The environment sets TAWNY_DATABSE_URL, which Tawny does not know; did you mean TAWNY_DATABASE_URL?"
    )


def test_an_unknown_key_in_the_file_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, 'pubic_url = "x"')
        == "tawny.toml sets `pubic_url`, which Tawny does not know; did you mean `public_url`?"
    )


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, "port = 1\nhost = =")


def test_the_sentence_says_where_a_wrong_value_came_from(tmp_path: Path) -> None:
    assert refusal(tmp_path, environ={"TAWNY_PORT": "http"}) == "TAWNY_PORT in the environment should be a whole number."
    assert refusal(tmp_path, "port = 70000").startswith("`port` in tawny.toml should be less than")
    assert refusal(tmp_path, data_dir=7).startswith("--data-dir on the command line")


def test_variables_that_kubernetes_sets_for_a_service_named_tawny_are_not_ours(tmp_path: Path) -> None:
    linked = {
        "TAWNY_SERVICE_HOST": "10.0.0.1",
        "TAWNY_SERVICE_PORT_HTTP": "8585",
        "TAWNY_PORT": "tcp://10.0.0.1:8585",
        "TAWNY_PORT_8585_TCP_ADDR": "10.0.0.1",
    }
    assert load(tmp_path, environ=linked).port == 8585


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"TAWNY_DATABASE_URL": "", "TAWNY_PORT": ""}).database_url is None


@pytest.mark.parametrize(
    "url", ["postgresql://h/db", "postgres://u@h:5432/db", "postgresql://u@/db?host=/run/db", "postgresql://u@a:1,b:2/db"]
)
def test_database_urls(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, environ={"TAWNY_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{PASSWORD}@h/db",
        f"u:{PASSWORD}@h/db",
        f"postgresql://u:{PASSWORD}#x@h/db",
        f"postgresql://u:12?{PASSWORD}@h/db",
        f"postgresql://u:12/{PASSWORD}@h/db",
        f"postgresql://u:{PASSWORD}@x@h/db",
        f"postgresql://u:{PASSWORD}@h:port/db",
        f"postgresql://u:{PASSWORD}@[::1/db",
    ],
)
def test_a_wrong_database_url_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    sentence = refusal(tmp_path, environ={"TAWNY_DATABASE_URL": url})
    assert sentence.startswith("TAWNY_DATABASE_URL in the environment")
    assert PASSWORD not in sentence


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        environ={
            "TAWNY_DATABASE_URL": f"{URL}?sslpassword={PASSWORD}&host=/run/db",
            "TAWNY_SECRET": PASSWORD * 3,
            "TAWNY_ENCRYPTION_KEYS": PASSWORD,
            "TAWNY_SMTP_URL": f"smtp://u:{PASSWORD}@h",
        },
    )
    assert PASSWORD not in f"{settings!r}{settings}{settings.masked()}"
    assert settings.masked()["database_url"] == "postgresql://tawny:****@db.example/tawny?sslpassword=****&host=/run/db"
    assert settings.masked()["secret"] == "****"


def test_masked_shows_every_setting(tmp_path: Path) -> None:
    shown = load(tmp_path, environ={"TAWNY_LEASE": "1m"}).masked()
    assert set(shown) == set(Settings.model_fields)
    assert (shown["lease"], shown["notify"], shown["secret"]) == ("60s", "on", "-")


def test_a_short_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    assert refusal(tmp_path, environ={"TAWNY_SECRET": "s3cr3t"}) == (
        "TAWNY_SECRET in the environment should be at least 32 characters long."
    )
    assert load(tmp_path, environ={"TAWNY_SECRET": "é" * 16}).secret == SecretStr("é" * 16)


def test_relative_folders_are_relative_to_the_folder_of_the_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, 'data_dir = "state"\ncensus_root = "/usr"')
    assert (settings.data_dir, settings.census_root) == (tmp_path / "state", Path("/usr"))


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        setattr(load(tmp_path), "port", 1)  # noqa: B010  (mypy knows it as read-only)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)],
)
def test_loopback(tmp_path: Path, host: str, loopback: bool) -> None:
    assert load(tmp_path, host=host).loopback is loopback


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "box"])
def test_unless_set_people_may_sign_up_only_from_this_machine(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, host=host).may_sign_up is (host in {"127.0.0.1", "::1"})
    for text, may in (("on", True), ("off", False)):
        assert load(tmp_path, environ={"TAWNY_SIGNUP": text}, host=host).may_sign_up is may


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8585"),
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
        ({"host": "box", "port": 9000}, "http://box:9000"),
        ({"public_url": "https://jobs.example.com"}, "https://jobs.example.com"),
        ({"public_url": "https://jobs.example.com/tawny/", "host": "::1"}, "https://jobs.example.com/tawny"),
    ],
)
def test_the_address_for_links(tmp_path: Path, settings: dict[str, Any], url: str) -> None:
    assert load(tmp_path, **settings).base_url == url


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("proxies", ["-1", "11", "one", "1.5"], ["0", "10"]), ("trigger_rate", ["-1", "1000001", "fast"], ["0", "1000000"])],
)
def test_limits_are_whole_numbers_within_bounds(tmp_path: Path, name: str, wrong: list[str], right: list[str]) -> None:
    variable = f"TAWNY_{name.upper()}"
    for text in wrong:
        assert refusal(tmp_path, environ={variable: text}).startswith(f"{variable} in the environment should be")
    for text in right:
        assert getattr(load(tmp_path, environ={variable: text}), name) == int(text)


@pytest.mark.parametrize(
    "url", ["smtp.example.com", "http://smtp.example.com", f"smtp://u:{PASSWORD}#x@h", f"smtp://u:{PASSWORD}@x@h"]
)
def test_a_wrong_mail_server_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    sentence = refusal(tmp_path, environ={"TAWNY_SMTP_URL": url})
    assert sentence.startswith("TAWNY_SMTP_URL in the environment")
    assert PASSWORD not in sentence
