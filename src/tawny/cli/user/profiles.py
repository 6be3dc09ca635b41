"""Profiles: sign-ins that are remembered, in a file that only their user can read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

from tawny.errors import SettingsError

DEFAULT: Final = "default"
FILE: Final = "profiles.json"


@dataclass(frozen=True, slots=True)
class Named:
    """A team or a project that is remembered."""

    id: str
    slug: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A server, the credentials for it, and what is meant when nothing else is said.

    `api_key` is an agent key of one team, `token` a session of a user, which ends.
    """

    url: str
    email: str | None = None
    api_key: str | None = field(default=None, repr=False)
    key_team: Named | None = None
    token: str | None = field(default=None, repr=False)
    team: Named | None = None
    project: Named | None = None


def place() -> Path:
    """The file: `tawny/profiles.json` in the user's config folder."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(config) if Path(config).is_absolute() else Path.home() / ".config"
    return folder / "tawny" / FILE


def shown_place() -> str:
    """The file as people write it."""
    try:
        return f"~/{place().relative_to(Path.home())}"
    except ValueError:
        return str(place())


def chosen(name: str | None) -> str:
    """The name of the profile that is meant: the one named, that of TAWNY_PROFILE, or `default`."""
    return name or os.environ.get("TAWNY_PROFILE") or DEFAULT


def load(name: str) -> Profile | None:
    """Return a profile, None when there is none of this name."""
    found = _read().get(name)
    if found is None:
        return None
    try:
        values: dict[str, Any] = {key: Named(**value) if isinstance(value, dict) else value for key, value in found.items()}
        return Profile(**values)
    except (AttributeError, TypeError):
        raise _unreadable(f"the profile {name} is not one") from None


def save(name: str, profile: Profile) -> None:
    """Keep a profile under this name."""
    _write(_read() | {name: _without_nothing(asdict(profile))})


def remember(name: str, **changes: Any) -> None:
    """Change some of a profile, if there is one."""
    profile = load(name)
    if profile is not None:
        save(name, replace(profile, **changes))


def forget(name: str) -> None:
    """Forget a profile."""
    _write({other: profile for other, profile in _read().items() if other != name})


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _read() -> dict[str, Any]:
    try:
        profiles = json.loads(place().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(str(error)) from None
    if not isinstance(profiles, dict):
        raise _unreadable("it holds no object")
    return profiles


def _unreadable(why: str) -> SettingsError:
    return SettingsError(f"{shown_place()} cannot be read ({why}): mend it, or delete it and run `tawny login`.")


def _write(profiles: dict[str, Any]) -> None:
    """Replace the file as a whole, so that nobody ever reads half of it."""
    file = place()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        handle, name = mkstemp(dir=file.parent, prefix=f".{FILE}-")  # only its user may read it
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as written:
                json.dump(profiles, written, indent=2)
                written.write("\n")
                written.flush()
                os.fsync(written.fileno())
            Path(name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise SettingsError(
            f"{shown_place()} cannot be written ({error.strerror}): let TAWNY_URL and TAWNY_API_KEY say it."
        ) from None
