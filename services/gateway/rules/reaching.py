"""Where a webhook may lead: out into the world, and nowhere into the house (server-side request forgery)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""
COMPATIBLE: Final = IPv6Network("::/96")
"""RFC 4291, 2.5.5.1: so are they here; nobody uses it for anything good."""
GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""Of IPv6 nothing else is given to anybody (RFC 4291, 2.4)."""
REFUSED: Final[tuple[Network, ...]] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
"""Protocols' own, relays, tunnels and documentation, of which Python calls some global."""

LONGEST_URL: Final = 2000
WEB_PORTS: Final = {"http": 80, "https": 443}
LOWEST_FREE_PORT: Final = 1024


def is_refused(address: str, permitted: Sequence[Network] = ()) -> bool:
    """Whether nothing may be posted there; `permitted` are networks of the house that may be reached all the same.

    Judged is also the IPv4 address that an IPv6 one stands for. What cannot be read is refused.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    meant = _meant(found)
    return _is_inside(meant) and not any(meant in network for network in permitted)


def url_problem(url: str, allow_http: bool, permitted: Sequence[Network] = ()) -> str | None:
    """Why nothing may be posted to this address, as far as its text tells; names are looked up when it is used."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return f"is a URL of at most {LONGEST_URL} characters, in ASCII and without blanks"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in (WEB_PORTS if allow_http else ("https",)) or not host:
        return f"begins with https://{' or http://' if allow_http else ''} and a host"
    if parts.username is not None or parts.fragment:
        return "has neither a user name nor a #fragment"
    if port is not None and port != WEB_PORTS[parts.scheme] and port < LOWEST_FREE_PORT:
        return f"has a port from {LOWEST_FREE_PORT} on, or none"
    if _is_literal(host) and is_refused(host, permitted):
        return "is an address inside of a private network"
    return None


def _meant(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_inside(address: Address) -> bool:
    """Private, loopback, link-local, shared (CGNAT), multicast, reserved: everything that is not the world."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return True
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return True
    return any(address in network for network in REFUSED)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
