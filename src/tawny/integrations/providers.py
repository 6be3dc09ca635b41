"""The services that a project can be connected to, and what each asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tawny.errors import InvalidRequest

VALUE_LIMIT: Final = 4096
"""Characters of one value."""

WEBHOOK_SECRET: Final = "webhook_secret"  # noqa: S105 (the name of a field)
"""The field that Tawny fills in itself: what the service shows when it calls."""


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One thing that a provider needs to know. Of what is sensitive nobody ever sees more than four characters again."""

    key: str
    label: str
    required: bool
    sensitive: bool
    placeholder: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A service."""

    id: str
    name: str
    description: str
    fields: tuple[ConfigField, ...]

    def check(self, config: Mapping[str, Any]) -> dict[str, str]:
        """Return the config; InvalidRequest for an unknown or missing field, or a value that is no plain text of one line."""
        known = {field.key: field for field in self.fields}
        for key, value in config.items():
            if key not in known:
                raise _wrong(key, f"is not a field of {self.name}; it has {', '.join(known)}")
            _check_value(key, value)
        for field in self.fields:
            if field.required and field.key not in config:
                raise _wrong(field.key, "is required")
        return dict(config)

    def is_sensitive(self, key: str) -> bool:
        """Whether this field is stored encrypted."""
        return any(field.sensitive for field in self.fields if field.key == key)


def _check_value(key: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _wrong(key, "should be a text")
    if not value.strip():
        raise _wrong(key, "is empty")
    if len(value) > VALUE_LIMIT:
        raise _wrong(key, f"is longer than {VALUE_LIMIT} characters")
    if not value.isprintable() or value != value.strip():
        raise _wrong(key, "should be one line without spaces around it")


def _wrong(key: str, problem: str) -> InvalidRequest:
    field = f"config.{key}"[:100]
    return InvalidRequest(f"{field} {problem}.", code="invalid_config", field=field)


REVENUECAT: Final = Provider(
    id="revenuecat",
    name="RevenueCat",
    description="Subscribers and their entitlements, synced from RevenueCat.",
    fields=(
        ConfigField(
            key="api_key",
            label="Secret API key (V2)",
            required=True,
            sensitive=True,
            placeholder="sk_…",
            description="A secret key for API version 2 that may read customers, from the project's API keys in RevenueCat.",
        ),
        ConfigField(
            key="rc_project_id",
            label="RevenueCat project",
            required=False,
            sensitive=False,
            placeholder="proj…",
            description="The id of the project in RevenueCat, where the key can see several.",
        ),
        ConfigField(
            key=WEBHOOK_SECRET,
            label="Webhook secret",
            required=False,
            sensitive=True,
            description="Made for you: the value of the Authorization header of RevenueCat's webhook.",
        ),
    ),
)

PROVIDERS: Final[Mapping[str, Provider]] = {provider.id: provider for provider in (REVENUECAT,)}
