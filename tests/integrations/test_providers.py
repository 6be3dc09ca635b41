"""What a provider takes for a config."""

from __future__ import annotations

from typing import Any

import pytest

from tawny.errors import InvalidRequest
from tawny.integrations import PROVIDERS, ConfigField, Provider
from tawny.integrations.providers import REVENUECAT, VALUE_LIMIT, WEBHOOK_SECRET

CLOUD = Provider(
    id="cloud",
    name="Cloud",
    description="A service with one of each kind of field.",
    fields=(
        ConfigField(key="token", label="Token", required=True, sensitive=True),
        ConfigField(key="region", label="Region", required=True, sensitive=False),
        ConfigField(key="note", label="Note", required=False, sensitive=False),
    ),
)
GOOD = {"token": "secret-token", "region": "eu"}


def refusal(config: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        CLOUD.check(config)
    assert refused.value.code == "invalid_config"
    return refused.value


def test_a_config_is_returned_as_it_is() -> None:
    assert CLOUD.check(GOOD) == GOOD
    assert CLOUD.check(GOOD | {"note": "Zürich, ½ price"}) == GOOD | {"note": "Zürich, ½ price"}


def test_what_is_returned_is_a_copy() -> None:
    given = dict(GOOD)
    CLOUD.check(given)["token"] = "changed"
    assert given == GOOD


def test_an_unknown_field_is_refused_with_those_that_there_are() -> None:
    refused = refusal(GOOD | {"tokn": "x"})
    assert refused.message == "config.tokn is not a field of Cloud; it has token, region, note."
    assert refused.details == {"field": "config.tokn"}


def test_the_name_of_an_unknown_field_is_not_given_back_at_any_length() -> None:
    assert len(refusal(GOOD | {"x" * 1_000_000: "x"}).message) < 200


@pytest.mark.parametrize("missing", ["token", "region"])
def test_a_missing_field_is_refused(missing: str) -> None:
    refused = refusal({key: value for key, value in GOOD.items() if key != missing})
    assert refused.message == f"config.{missing} is required."
    assert refused.details == {"field": f"config.{missing}"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("\n", "is empty"),
        ("\u00a0\u3000", "is empty"),
        (" secret", "spaces around"),
        ("secret ", "spaces around"),
        ("secret\n", "one line"),
        ("secret\r\nX-Admin: yes", "one line"),
        ("sec\0ret", "one line"),
        ("sec\u2028ret", "one line"),
        ("sec\u202eret", "one line"),
        ("sec\ud800ret", "one line"),
        ("s" * (VALUE_LIMIT + 1), "longer than 4096 characters"),
        ("s" * 1_000_000, "longer than 4096 characters"),
        (None, "should be a text"),
        (7, "should be a text"),
        (True, "should be a text"),
        (1.5, "should be a text"),
        (["secret"], "should be a text"),
        ({"secret": "secret"}, "should be a text"),
    ],
)
def test_a_value_is_a_text_of_one_line(value: object, problem: str) -> None:
    refused = refusal(GOOD | {"token": value})
    assert refused.message.startswith("config.token ")
    assert problem in refused.message
    assert "secret" not in refused.message
    assert len(refused.message) < 100


def test_the_longest_value_is_taken() -> None:
    assert CLOUD.check(GOOD | {"token": "s" * VALUE_LIMIT})["token"] == "s" * VALUE_LIMIT


def test_what_is_sensitive_is_what_the_field_says() -> None:
    assert [CLOUD.is_sensitive(key) for key in ("token", "region", "note", "other")] == [True, False, False, False]


def test_the_provider_of_the_published_cli_is_there() -> None:
    assert dict(PROVIDERS) == {"revenuecat": REVENUECAT}
    assert {field.key: (field.required, field.sensitive) for field in REVENUECAT.fields} == {
        "api_key": (True, True),
        "rc_project_id": (False, False),
        WEBHOOK_SECRET: (False, True),
    }


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.id)
def test_each_provider_explains_itself(provider: Provider) -> None:
    assert PROVIDERS[provider.id] is provider
    assert provider.name
    assert provider.description.endswith(".")
    assert all(field.label for field in provider.fields)
    assert len({field.key for field in provider.fields}) == len(provider.fields)
