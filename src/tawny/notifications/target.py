"""Where a webhook may lead: to a public address by https, and to nothing inside the operator's network.

What people write is checked when it is saved, and what it leads to each time that something is posted: a name may lead elsewhere
by then.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tawny.errors import InvalidRequest

URL_LIMIT: Final = 2_000
LOOKUP_SECONDS: Final = 5.0

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Asks for the addresses of a name; OSError when there are none."""

_PRINTABLE: Final = re.compile(r"[!-\[\]^-~]+")  # ASCII without spaces and the backslash, which some readers take for a slash
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)*{_LABEL}")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")

# Addresses that lead to an IPv4 address inside of them, or that are global by their registry and yet nobody's.
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NOT_V6: Final = [IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_NOT_V4: Final = [IPv4Network(net) for net in ("192.88.99.0/24",)]


@dataclass(frozen=True, slots=True)
class Target:
    """A url that may be posted to, in its parts. `path` is all that follows the host."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """The url up to the path."""
        usual = self.port == _PORTS[self.scheme]
        return f"{self.scheme}://{_bracketed(self.host)}" + ("" if usual else f":{self.port}")

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def shown(self) -> str:
        """The url as people may see it: a path or a query may be a secret, so no more than its first four characters."""
        return self.origin + (self.path if len(self.path) <= _SHOWN else f"{self.path[:_SHOWN]}****")

    def at(self, address: str) -> str:
        """The url with an address in place of the name."""
        return f"{self.scheme}://{_bracketed(address)}:{self.port}{self.path}"


_PORTS: Final = {"https": 443, "http": 80}
_SHOWN: Final = 5


def read_url(url: str, *, private: bool) -> Target:
    """Take a url apart; InvalidRequest with code `invalid_url` for what is none, or `private_address` for a literal one.

    `private`: the operator lets webhooks lead to private addresses, and by plain http.
    """
    parts = _split(url)
    if parts.scheme not in (_PORTS if private else ("https",)):
        raise _invalid("should begin with https://")
    if parts.username is not None or parts.password is not None:
        raise _invalid("should have no user or password in it")
    if parts.fragment or "#" in url:
        raise _invalid("should have no fragment (#) in it")
    host = parts.hostname or ""
    _check_host(host, private=private)
    return Target(
        parts.scheme, host, parts.port or _PORTS[parts.scheme], (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    )


def _split(url: str) -> SplitResult:
    if len(url) > URL_LIMIT or not _PRINTABLE.fullmatch(url):
        raise _invalid(
            f"should be at most {URL_LIMIT} printable ASCII characters; write the host of an international name in punycode"
        )
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError("no port")
    except ValueError:
        raise _invalid("cannot be read") from None
    return parts


def _check_host(host: str, *, private: bool) -> None:
    address = _literal(host)
    if address is None and (not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])):
        raise _invalid("should name a host, or an address in its usual form")
    if private:
        return
    if host == "localhost" or host.endswith(".localhost") or (address is not None and not is_public(address)):
        raise _private()


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host) if "%" not in host else None
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether this is an address of the public internet, and no way of writing another one."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved and not _within(address, _NOT_V4)
    return address in _PUBLIC_V6 and address.is_global and not _within(address, _NOT_V6)


def _within(address: Address, networks: list[IPv4Network] | list[IPv6Network]) -> bool:
    return any(address in network for network in networks)


async def lookup(host: str, port: int) -> list[str]:
    """Ask the resolver of this machine."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def addresses_of(target: Target, *, private: bool, ask: Lookup | None = None) -> list[str]:
    """The addresses that the target leads to now.

    InvalidRequest with code `unknown_host` when it leads nowhere, and `private_address` when any of them is not public: of a name
    that leads to both, nobody can say which one is reached.
    """
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = await (ask or lookup)(target.host, target.port)
    except (OSError, TimeoutError, UnicodeError):
        found = []
    if not found:
        raise InvalidRequest(f"The host {target.host} cannot be found.", code="unknown_host")
    if not private and not all(_is_public_text(address) for address in found):
        raise _private()
    return found


async def check_target(url: str, *, private: bool) -> Target:
    """Take a url apart and see where it leads to now; InvalidRequest as `read_url` and `addresses_of`."""
    target = read_url(url, private=private)
    await addresses_of(target, private=private)
    return target


def _is_public_text(text: str) -> bool:
    address = _literal(text)
    return address is not None and is_public(address)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _invalid(what: str) -> InvalidRequest:
    return InvalidRequest(f"The url of a webhook {what}.", code="invalid_url")


def _private() -> InvalidRequest:
    return InvalidRequest("A webhook leads to a public address, not into a private network.", code="private_address")
