"""User tokens: what we issue is read, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.access.tokens import issue_token, read_token
from tawny.errors import SettingsError, Unauthenticated

SECRET = b"an own secret for tests, 32 bytes or more"
NOW = datetime(2030, 5, 17, 12, 0, 0, tzinfo=UTC)
USER = UUID("01976f3e-2f1c-7aaa-8bbb-0123456789ab")
SESSION = UUID("5f0c7b2e-9a9b-4d7e-8f3a-0c1d2e3f4a5b")
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"

HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": "tawny",
    "aud": "tawny:api",
    "sub": str(USER),
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
    "jti": str(SESSION),
}


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign(header: object, claims: object, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """A token made by hand, signed by whoever has the secret."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(map(encode, parts))
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), digest))}"


def refusal(text: str, now: datetime = NOW) -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as refused:
        read_token(SECRET, text, now)
    assert refused.value.__cause__ is None
    return refused.value.code, str(refused.value)


REFUSED = refusal("")


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_an_issued_token_names_its_user() -> None:
    token = issue_token(SECRET, USER, SESSION, NOW)
    assert read_token(SECRET, token, NOW) == (USER, SESSION)
    assert read_token(SECRET, token, NOW + timedelta(days=7, seconds=-1)) == (USER, SESSION)


def test_a_token_made_by_hand_to_the_same_rules_is_read() -> None:
    """Otherwise the refusals below would prove nothing."""
    assert read_token(SECRET, sign(HEADER, CLAIMS), NOW) == (USER, SESSION)
    assert read_token(SECRET, sign({"typ": "JWT", "alg": "HS256"}, CLAIMS), NOW) == (USER, SESSION)
    assert read_token(SECRET, sign(HEADER, CLAIMS | {"nbf": CLAIMS["iat"]}), NOW) == (USER, SESSION)


def test_a_token_is_good_now_when_no_time_is_given() -> None:
    assert read_token(SECRET, issue_token(SECRET, USER, SESSION, datetime.now(UTC))) == (USER, SESSION)


def test_two_sessions_of_one_second_have_different_tokens() -> None:
    assert issue_token(SECRET, USER, SESSION, NOW) != issue_token(SECRET, USER, USER, NOW)


def test_a_token_ends_to_the_second() -> None:
    token = issue_token(SECRET, USER, SESSION, NOW, timedelta(hours=1))
    assert read_token(SECRET, token, NOW + timedelta(seconds=3599)) == (USER, SESSION)
    assert refusal(token, NOW + timedelta(seconds=3600)) == REFUSED


def test_a_clock_a_minute_ahead_is_tolerated_and_no_more() -> None:
    token = issue_token(SECRET, USER, SESSION, NOW)
    assert read_token(SECRET, token, NOW - timedelta(seconds=60)) == (USER, SESSION)
    assert refusal(token, NOW - timedelta(seconds=61)) == REFUSED


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "NoNe", "typ": "JWT"},
        {"alg": "", "typ": "JWT"},
        {"alg": None, "typ": "JWT"},
        {"alg": ["HS256"], "typ": "JWT"},
        {"alg": "hs256", "typ": "JWT"},
        {"alg": "HS384", "typ": "JWT"},
        {"alg": "HS512", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"alg": "RS384", "typ": "JWT"},
        {"alg": "ES256", "typ": "JWT"},
        {"alg": "HS256"},
        {"typ": "JWT"},
        {},
        {"alg": "HS256", "typ": "at+jwt"},
        {"alg": "HS256", "typ": "jwt"},
        HEADER | {"crit": []},
        HEADER | {"crit": ["b64"], "b64": False},
        HEADER | {"crit": ["b64"], "b64": True},
        HEADER | {"crit": ["exp"], "exp": 1},
        HEADER | {"b64": False},
        HEADER | {"kid": "1"},
        HEADER | {"kid": ""},
        HEADER | {"kid": "../../"},
        HEADER | {"kid": "../../dev/null"},
        HEADER | {"kid": ["1"]},
        HEADER | {"jku": "https://e.x"},
        HEADER | {"x5u": "https://e.x"},
        HEADER | {"x5c": ["MIIB"]},
        HEADER | {"jwk": {"kty": "oct", "k": encode(SECRET)}},
        HEADER | {"jwk": {"kty": "oct", "k": "QQ"}},
        HEADER | {"zip": "DEF"},
        HEADER | {"cty": "JWT"},
        [HEADER],
        "HS256",
        None,
        5,
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 40,
        b"[" * 2000,
    ],
    ids=repr,
)
def test_any_other_header_is_refused_even_when_well_signed(header: object) -> None:
    assert refusal(sign(header, CLAIMS)) == REFUSED
    assert refusal(sign(header, CLAIMS, digest="sha384")) == REFUSED
    assert refusal(f"{sign(header, CLAIMS).rpartition('.')[0]}.") == REFUSED


@pytest.mark.parametrize(
    "secret", [b"", b"\0", PUBLIC_KEY, b"another secret of more than 32 bytes, of somebody", SECRET[:-1], SECRET + b" "]
)
def test_a_token_signed_with_another_secret_is_refused(secret: bytes) -> None:
    assert refusal(sign(HEADER, CLAIMS, secret)) == REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        *[without(name) for name in CLAIMS],
        CLAIMS | {"exp": int(NOW.timestamp())},
        CLAIMS | {"exp": 0},
        CLAIMS | {"exp": -1},
        CLAIMS | {"exp": str(CLAIMS["exp"])},
        CLAIMS | {"exp": float(CLAIMS["exp"])},
        CLAIMS | {"exp": True},
        CLAIMS | {"exp": None},
        CLAIMS | {"exp": [CLAIMS["exp"]]},
        CLAIMS | {"exp": float("inf")},
        CLAIMS | {"exp": float("nan")},
        CLAIMS | {"iat": CLAIMS["iat"] + 61},
        CLAIMS | {"iat": CLAIMS["iat"] + 10**9},
        CLAIMS | {"iat": 10**400},
        CLAIMS | {"iat": str(CLAIMS["iat"])},
        CLAIMS | {"iat": None},
        CLAIMS | {"nbf": CLAIMS["iat"] + 61},
        CLAIMS | {"nbf": str(CLAIMS["iat"])},
        CLAIMS | {"nbf": None},
        CLAIMS | {"iss": "other"},
        CLAIMS | {"iss": "Tawny"},
        CLAIMS | {"iss": ["tawny"]},
        CLAIMS | {"iss": None},
        CLAIMS | {"aud": ["tawny:api"]},
        CLAIMS | {"aud": ["tawny:api", "other"]},
        CLAIMS | {"aud": "other"},
        CLAIMS | {"aud": ""},
        CLAIMS | {"aud": None},
        CLAIMS | {"sub": 5},
        CLAIMS | {"sub": None},
        CLAIMS | {"sub": ""},
        CLAIMS | {"sub": [str(USER)]},
        CLAIMS | {"sub": str(USER).upper()},
        CLAIMS | {"sub": f"{{{USER}}}"},
        CLAIMS | {"sub": USER.hex},
        CLAIMS | {"sub": f"{USER}\0"},
        CLAIMS | {"sub": "ann@example.com"},
        CLAIMS | {"jti": 5},
        CLAIMS | {"jti": "5"},
        CLAIMS | {"jti": str(SESSION).upper()},
        CLAIMS | {"jti": None},
        CLAIMS | {"role": "Owner"},
        CLAIMS | {"role": ["owner"]},
        CLAIMS | {"role": "emperor"},
        CLAIMS | {"team_id": str(uuid4())},
        CLAIMS | {"x": "y" * 65_536},
        {},
        [],
        [CLAIMS],
        "claims",
        None,
        b"",
        b"{",
        b"\xff",
    ],
    ids=lambda claims: repr(claims)[:60],
)
def test_any_other_claims_are_refused_even_when_well_signed(claims: object) -> None:
    assert refusal(sign(HEADER, claims)) == REFUSED


@given(st.data())
def test_any_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = sign(HEADER, CLAIMS)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[place]))
    assert refusal(token[:place] + other + token[place + 1 :]) == REFUSED


@pytest.mark.parametrize("spoil", ["{}=", "{}.", ".{}", "{}.x", " {}", "{} ", "{}\n", "{}\0", "{}!!!!"])
def test_anything_added_is_refused(spoil: str) -> None:
    assert refusal(spoil.format(sign(HEADER, CLAIMS))) == REFUSED


@given(st.text(st.characters(exclude_categories=())) | st.from_regex(r"[\w-]{0,90}\.[\w-]{0,90}\.[\w-]{43}", fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert refusal(text) == REFUSED


@given(st.binary(max_size=48))
def test_no_header_breaks_the_reader(header: bytes) -> None:
    assert refusal(sign(header, CLAIMS)) == REFUSED


def test_a_token_holds_no_right_and_no_address() -> None:
    payload = issue_token(SECRET, USER, SESSION, NOW).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims.keys() == CLAIMS.keys()
    assert (claims["sub"], claims["iat"], claims["exp"]) == (str(USER), CLAIMS["iat"], CLAIMS["iat"] + 7 * 86_400)


def test_short_secrets_are_refused() -> None:
    weak = hashlib.sha256(b"").digest()[:31]
    with pytest.raises(SettingsError, match="TAWNY_SECRET"):
        issue_token(weak, USER, SESSION, NOW)
    with pytest.raises(SettingsError, match="TAWNY_SECRET"):
        read_token(weak, sign(HEADER, CLAIMS, weak), NOW)
