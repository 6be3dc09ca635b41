"""The sockets of `tawny serve`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tawny.errors import StartError


@contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets bound to every address of `host`, not listening yet. Port 0 picks a free one, the same for all.

    Bound before anything else is started, so that a taken port leaves nothing behind. StartError with a sentence.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for family, address in _addresses(host):
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(stack.enter_context(_bind(family, address, chosen)))
        yield sockets


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"The host {host!r} is not an address of this machine: {error.strerror}.") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise cannot_listen(address, port, error) from None
    return sock


def cannot_listen(address: str, port: int, error: OSError) -> StartError:
    """The sentence for a port that cannot be had."""
    return StartError(
        f"Cannot listen on {address}, port {port}: {error.strerror}. Choose another one with --port; 0 picks a free one."
    )


def address_of(sock: socket.socket) -> str:
    """The url under which this machine reaches what listens on `sock`."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (a comparison, not a binding)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
