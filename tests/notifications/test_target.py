"""A webhook leads to a public address and nowhere else, however that is written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.errors import InvalidRequest
from tawny.notifications.target import addresses_of, check_target, is_public, read_url

WRONG = [
    "http://example.com/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "https:example.com",
    "https://",
    "https:///path",
    "",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@169.254.169.254/",
    "https://169.254.169.254#@example.com/",
    "https://example.com/#fragment",
    "https://example.com\\@169.254.169.254/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:port/",
    "https://exa mple.com/",
    "https://example.com/\r\nhost: other",
    "https://example.com/\x00",
    "https://exämple.com/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://localhost./",
    "https://example.com./",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://1.2.3.4.5/",
    "https://example.123/",
    "https://-example.com/",
    "https://exa_mple.com/",
    "https://*.example.com/",
    "https://[::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::ffff:127.0.0.1/",
    "https://[127.0.0.1]/",
    "https://" + "a" * 64 + ".com/",
    "https://example.com/" + "x" * 2_000,
]
PRIVATE = [
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://192.88.99.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::808:808]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:808:808::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[5f00::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://a.localhost/",
]
PUBLIC = [
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/hook",
    "https://example.com",
    "https://EXAMPLE.com:8443/a/b?c=d",
    "https://xn--exmple-cua.com/",
    "https://1.example.com/",
    "https://a-b.example.co.uk/hook?token=%20",
]


def refusal(url: str, *, private: bool = False) -> str:
    with pytest.raises(InvalidRequest) as refused:
        read_url(url, private=private)
    return refused.value.code


@pytest.mark.parametrize("url", WRONG, ids=lambda url: ascii(url)[:50])
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    assert refusal(url) == "invalid_url"


@pytest.mark.parametrize("url", PRIVATE)
def test_what_leads_into_a_private_network_is_refused(url: str) -> None:
    assert refusal(url) == "private_address"


@pytest.mark.parametrize("url", PUBLIC)
def test_what_leads_to_the_public_is_taken(url: str) -> None:
    target = read_url(url, private=False)
    assert target.scheme == "https"
    assert read_url(target.url, private=False) == target


@pytest.mark.parametrize("url", [*PRIVATE, "http://127.0.0.1:8080/hook", "http://localhost/"])
def test_an_operator_may_let_them_lead_anywhere(url: str) -> None:
    assert read_url(url, private=True).url


@pytest.mark.parametrize("url", [url for url in WRONG if url != "http://example.com/"], ids=lambda url: ascii(url)[:50])
def test_what_is_no_url_is_refused_then_too(url: str) -> None:
    assert refusal(url, private=True) == "invalid_url"


def test_a_target_is_taken_apart() -> None:
    target = read_url("https://Example.com:8443/a/b?c=d", private=False)
    assert (target.host, target.port, target.path) == ("example.com", 8443, "/a/b?c=d")
    assert target.at("8.8.8.8") == "https://8.8.8.8:8443/a/b?c=d"
    assert target.at("2606:4700::1") == "https://[2606:4700::1]:8443/a/b?c=d"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com", "https://example.com/"),
        ("https://example.com/hook", "https://example.com/hook"),
        ("https://hooks.example.com/services/T0/B0/secret", "https://hooks.example.com/serv****"),
        ("https://example.com/?token=secret", "https://example.com/?tok****"),
        ("https://[2606:4700::1]:444/abcdef", "https://[2606:4700::1]:444/abcd****"),
    ],
)
def test_of_a_path_no_more_is_shown_than_four_characters(url: str, shown: str) -> None:
    assert read_url(url, private=False).shown == shown


@given(st.integers(0, 2**32 - 1))
def test_no_address_is_public_in_disguise(number: int) -> None:
    address = IPv4Address(number)
    for disguised in (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}"):
        assert not is_public(ip_address(disguised))
    assert not is_public(IPv6Address((0x2002 << 112) | (number << 80)))
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved:
        assert not is_public(address)


def answering(*addresses: str):  # type: ignore[no-untyped-def]
    async def ask(host: str, port: int) -> list[str]:
        if not addresses:
            raise OSError("no such name")
        return list(addresses)

    return ask


TARGET = read_url("https://example.com/", private=False)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["fe80::1%eth0"], ["::ffff:169.254.169.254"], ["nonsense"]]
)
async def test_a_name_is_refused_when_any_of_its_addresses_is_private(addresses: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await addresses_of(TARGET, private=False, ask=answering(*addresses))
    assert refused.value.code == "private_address"
    assert await addresses_of(TARGET, private=True, ask=answering(*addresses)) == addresses


async def test_a_name_without_addresses_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await addresses_of(TARGET, private=False, ask=answering())
    assert refused.value.code == "unknown_host"


async def test_a_public_name_leads_to_its_addresses() -> None:
    assert await addresses_of(TARGET, private=False, ask=answering("8.8.8.8", "2606:4700::1")) == ["8.8.8.8", "2606:4700::1"]


async def test_this_machines_own_resolver_is_asked() -> None:
    target = read_url("http://localhost/", private=True)
    assert set(await addresses_of(target, private=True)) <= {"127.0.0.1", "::1"}
    assert (await check_target("https://8.8.8.8/", private=False)).host == "8.8.8.8"
