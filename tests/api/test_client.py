"""Whom a request is counted for."""

from __future__ import annotations

from typing import Any

import pytest

from tawny.api.client import client_of

PEER = "192.0.2.1"


def seen(*forwarded: str, proxies: int, peer: str | None = PEER) -> str:
    """The client of a request from this peer with these `X-Forwarded-For`, behind so many proxies."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope: dict[str, Any] = {
        "headers": [(b"host", b"x"), *headers, (b"forwarded", b"for=203.0.113.99"), (b"x-real-ip", b"203.0.113.98")],
        "client": (peer, 1234) if peer else None,
    }
    return client_of(scope, proxies)


@pytest.mark.parametrize("forwarded", [(), ("198.51.100.7",), ("198.51.100.7, 198.51.100.8",), ("nonsense",)])
def test_without_proxies_what_the_client_says_is_not_believed(forwarded: tuple[str, ...]) -> None:
    assert seen(*forwarded, proxies=0) == PEER


def test_one_proxy_says_who_called_it() -> None:
    assert seen("198.51.100.7", proxies=1) == "198.51.100.7"


def test_of_two_proxies_the_outer_one_says_it() -> None:
    assert seen("198.51.100.7, 10.0.0.2", proxies=2) == "198.51.100.7"


@pytest.mark.parametrize(
    "forged", ["203.0.113.5, ", "203.0.113.5, 203.0.113.6, ", "203.0.113.5,,,", "nonsense, ", ", , ", "::1, ", "203.0.113.5 ,\t"]
)
def test_what_the_client_wrote_itself_is_not_believed(forged: str) -> None:
    assert seen(f"{forged}198.51.100.7", proxies=1) == "198.51.100.7"
    assert seen(f"{forged}198.51.100.7, 10.0.0.2", proxies=2) == "198.51.100.7"


def test_several_headers_are_one_list() -> None:
    assert seen("203.0.113.5", "198.51.100.7", proxies=1) == "198.51.100.7"
    assert seen("203.0.113.5, 198.51.100.7", "10.0.0.2", proxies=2) == "198.51.100.7"


@pytest.mark.parametrize("forwarded", [(), ("",), (" , ",)])
def test_a_missing_header_leaves_the_peer(forwarded: tuple[str, ...]) -> None:
    assert seen(*forwarded, proxies=1) == PEER


def test_who_goes_round_the_outer_proxy_is_counted_as_the_inner_one() -> None:
    assert seen("198.51.100.7", proxies=2) == PEER


def test_of_ipv6_the_network_of_a_customer_counts() -> None:
    assert seen(proxies=0, peer="2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert seen("2001:db8:1:2::9", proxies=1) == "2001:db8:1:2::/64"
    assert seen("2001:db8:1:3::9", proxies=1) == "2001:db8:1:3::/64"
    assert seen(proxies=0, peer="fe80::1%eth0") == "fe80::/64"


def test_an_ipv4_address_is_the_same_in_either_form() -> None:
    assert seen(proxies=0, peer="::ffff:192.0.2.1") == seen(proxies=0) == PEER


@pytest.mark.parametrize("said", ["unknown", "_hidden", "198.51.100.7:443", "[2001:db8::1]", "1" * 5000, "café", "198.51.100.07"])
def test_what_is_no_address_is_counted_as_one(said: str) -> None:
    assert seen(said, proxies=1) == "unknown"


def test_a_socket_without_addresses_is_counted_as_one() -> None:
    assert seen(proxies=0, peer=None) == "unknown"
