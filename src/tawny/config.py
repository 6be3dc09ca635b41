"""Settings: one declaration each, from which the environment name, the key in `tawny.toml`, `tawny check` and the docs follow."""

from __future__ import annotations

import ipaddress
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from tawny.errors import SettingsError

PREFIX = "TAWNY_"
FILE = "tawny.toml"
Source = Literal["default", "tawny.toml", "environment", "command line"]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
# Those who use a server set these, not those who run one: they are read by the commands for users.
OF_USERS = frozenset({"TAWNY_URL", "TAWNY_API_KEY", "TAWNY_PROFILE"})
# Kubernetes puts these into every pod that runs beside a service named `tawny`.
_SERVICE_LINK = re.compile(r"TAWNY_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_.*)?")

_PROBLEMS = dict.fromkeys(("bool_parsing", "bool_type"), "should be on or off") | dict.fromkeys(
    ("int_parsing", "int_type", "int_from_float"), "should be a whole number"
)


def duration(text: str | float) -> float:
    """Seconds in `30s`, `5m`, `1h` or `2d`; a number alone is seconds. ValueError for anything else."""
    found = _DURATION.fullmatch(str(text).strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else math.inf
    if not math.isfinite(seconds):
        raise ValueError("should be a duration such as 30s, 5m, 1h or 2d")
    return seconds


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).resolve()


def _postgresql(url: str) -> str:
    return _with_scheme(url, "postgresql", "postgres")


def _web(url: str) -> str:
    return _with_scheme(url, "https", "http").rstrip("/")


def _smtp(url: SecretStr) -> SecretStr:
    _with_scheme(url.get_secret_value(), "smtp", "smtps")
    return url


def _with_scheme(url: str, *schemes: str) -> str:
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"should be a url that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not _is_unambiguous(url):
        raise ValueError("is not a valid url; in a user or a password write @ as %40, / as %2F, : as %3A, # as %23 and ? as %3F")
    return url


def _is_unambiguous(url: str) -> bool:
    """Whether every reader takes the same part of it for the password, so that `without_password` hides all of it."""
    try:
        parts = urlsplit(url)
        user, _, hosts = parts.netloc.rpartition("@")
        ports = [urlsplit(f"//{host}").port for host in hosts.split(",")]
    except ValueError:
        return False
    return bool(ports) and not parts.fragment and "@" not in f"{user}{parts.path}{parts.query}" and user.count(":") <= 1


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < 32:
        raise ValueError("should be at least 32 characters long")
    return secret


def _email(address: str) -> str:
    if "@" not in address:
        raise ValueError("should be an e-mail address")
    return address


Duration = Annotated[float, BeforeValidator(duration)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Email = Annotated[str, AfterValidator(_email)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class Settings(BaseModel):
    """Everything an operator can set. Made by `Settings.load`; a field `lease` is `TAWNY_LEASE` and, in `tawny.toml`, `lease`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None,
        repr=False,
        description="The PostgreSQL (15 or newer) to use instead of the embedded one: `postgresql://user:password@host/name`. "
        "A PgBouncer in front of it is noticed.",
    )
    data_dir: Folder = Field(
        Path(".tawny"),
        description="The state folder: the embedded database, the generated secret and keys, and mails without a mail server.",
    )
    app: str = Field(
        "tawny.demo:app", description="Where your job types are: `module:attribute`, importable from the current folder."
    )
    public_url: Annotated[str, AfterValidator(_web)] | None = Field(
        None, description="The address at which people and webhooks reach this server, for links in mails."
    )
    secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None, description="Signs sign-ins, at least 32 characters. Unless set: one is made and kept in the state folder."
    )
    encryption_keys: SecretStr | None = Field(
        None,
        description="Keys that encrypt stored credentials, comma-separated; the first is used. Unless set: one is made and kept.",
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_smtp)] | None = Field(
        None, description="The mail server: `smtp://user:password@host:587`, or `smtps://` for TLS from the start."
    )
    mail_from: Email | None = Field(None, description="The sender of mails.")
    system_alert_email: Email | None = Field(None, description="Who is told when a system job fails.")
    private_webhooks: bool = Field(
        False,
        description="Whether webhooks of teams may lead to private and loopback addresses, also by plain http. For development.",
    )
    signup: bool | None = Field(
        None, description="Whether an unknown address may sign up. Unless set: only while bound to loopback."
    )
    lease: Duration = Field(
        15.0,
        ge=1,
        le=600,
        description="How long a worker may act without renewing, so also how soon a dead worker's runs start again.",
    )
    run_retention_days: Days = Field(90, description="Days after which runs that have ended are deleted.")
    log_retention_days: Days = Field(14, description="Days after which the log lines of runs are deleted.")
    notify: bool = Field(
        True,
        description="Wake workers by NOTIFY. One behind PgBouncer hears none and asks each second; turn it off where all are.",
    )
    census_root: Folder | None = Field(
        None,
        description="The folder below which the demo job `code_census` may read. Unless set: only Python's standard library.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address that `tawny serve` listens on.")
    port: int = Field(8585, ge=0, le=65_535, description="The port that `tawny serve` listens on; 0 picks a free one.")
    proxies: int = Field(
        0, ge=0, le=10, description="How many reverse proxies are in front: that many of `X-Forwarded-For` are believed."
    )
    trigger_rate: int = Field(
        200,
        ge=0,
        le=1_000_000,
        description="How many triggers and retries a second each key and user may ask each server for; 0 is no limit.",
    )
    mcp_triggers: int = Field(
        60, ge=0, le=1_000_000, description="How many runs an hour each key and user may ask for through MCP; 0 is no limit."
    )
    revenuecat_url: Annotated[str, AfterValidator(_web)] = Field(
        "https://api.revenuecat.com/v2", description="Where RevenueCat's API is; `tawny dev-revenuecat` is another place to ask."
    )
    revenuecat_rate: int = Field(
        468,
        ge=0,
        le=1_000_000,
        description="How many calls a minute all workers make to RevenueCat with one key, which allows 480; 0 is no limit.",
    )
    concurrency: int = Field(100, ge=1, le=10_000, description="How many runs a worker executes at once.")
    drain: Duration = Field(
        10.0, ge=0, le=86_400, description="How long a worker that stops lets its runs finish before it gives them back."
    )

    _sources: dict[str, Source] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None, folder: Path | None = None) -> Settings:
        """Read `tawny.toml` in `folder` (the current one), then `environ`, then `overrides` (command line); the last one wins.

        Relative paths are relative to `folder`. An empty variable and an override that is None count as not set. SettingsError
        with one sentence for an unknown name or a wrong value; it names the setting and where it came from, never its value.
        """
        folder = Path.cwd() if folder is None else folder
        given: dict[Source, dict[str, Any]] = {
            "tawny.toml": dict(_from_file(folder / FILE)),
            "environment": dict(_from_environ(environ)),
            "command line": {name: value for name, value in (overrides or {}).items() if value is not None},
        }
        sources: dict[str, Source] = {name: source for source, values in given.items() for name in values}
        values = {name: given[source][name] for name, source in sources.items()}
        try:
            settings = cls.model_validate(values, context={"folder": folder})
        except ValidationError as error:
            raise SettingsError(_sentence(error, sources)) from None
        settings._sources.update(sources)
        return settings

    def source(self, name: str) -> Source:
        """Where the value of this setting came from."""
        return self._sources.get(name, "default")

    def masked(self) -> dict[str, str]:
        """Every setting as text that may be shown: secrets as `****`, the database url without its password, nothing as `-`."""
        return {name: _shown(name, getattr(self, name)) for name in type(self).model_fields}

    @property
    def may_sign_up(self) -> bool:
        """Whether an unknown address may sign up."""
        return self.loopback if self.signup is None else self.signup

    @property
    def base_url(self) -> str:
        """The address for links: the public one, or else the one that `tawny serve` listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address that `tawny serve` listens on."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _from_file(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        values = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{FILE} cannot be read: {error}.") from None
    for name, value in values.items():
        if name not in Settings.model_fields:
            raise SettingsError(f"{FILE} sets `{name}`, which Tawny does not know; did you mean `{_nearest(name)}`?")
        yield name, value


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable in OF_USERS or _is_service_link(variable, value):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in Settings.model_fields:
            raise SettingsError(
                f"The environment sets {variable}, which Tawny does not know; did you mean {PREFIX}{_nearest(name).upper()}?"
            )
        if value:
            yield name, value


def _is_service_link(variable: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(variable)) or (variable == "TAWNY_PORT" and value.startswith(("tcp://", "udp://")))


def _nearest(name: str) -> str:
    return get_close_matches(name.lower(), Settings.model_fields, n=1, cutoff=0)[0]


def _sentence(error: ValidationError, sources: Mapping[str, Source]) -> str:
    """The first thing that is wrong. Pydantic's own text would show the value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0])
    problem = _PROBLEMS.get(first["type"]) or first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_spelled(name, sources.get(name, 'default'))} {problem}."


def _spelled(name: str, source: Source) -> str:
    match source:
        case "environment":
            return f"{PREFIX}{name.upper()} in the environment"
        case "tawny.toml":
            return f"`{name}` in {FILE}"
        case "command line":
            return f"--{name.replace('_', '-')} on the command line"
        case "default":
            return f"The setting `{name}`"


def _shown(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, SecretStr):
        return "****"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}s"
    return without_password(str(value)) if name == "database_url" else str(value)


def without_password(url: str) -> str:
    """A database url that may be shown: its passwords, wherever they stand in it, are `****`."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:****" if ":" in user else user
    query = [(key, "****" if "password" in key else value) for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}", query=urlencode(query, safe="/*")))
