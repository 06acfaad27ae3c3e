"""
The ranges of addresses that are no ordinary host's, each with the name of the rule that refuses it.

From the IANA registries of special-purpose addresses (RFC 6890, as kept), and from the clouds' own pages on metadata
services. Deliberately not `ipaddress.is_private` and its like: their answers change between versions of Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

EXACT_ONLY: Final = frozenset(
    {"unspecified", "metadata", "multicast", "broadcast", "scoped"}
    | {"v4-mapped", "v4-compatible", "v4-translated", "nat64-local", "6to4", "teredo"}
)
"""Rules that neither a network nor a name in the allow list lifts: only the very address does."""

_METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, OpenStack, Oracle, Hetzner
            "169.254.169.253",  # AWS, its resolver
            "169.254.169.123",  # AWS, its time service
            "169.254.170.2",  # AWS, credentials of containers
            "169.254.170.23",  # AWS, credentials of pods
            "169.254.42.42",  # Scaleway
            "169.254.0.23",  # Tencent
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle, of old
            "168.63.129.16",  # Azure, its host agent
            "fd00:ec2::254",  # AWS
            "fd00:ec2::253",
            "fd00:ec2::123",
            "fd00:ec2::23",
            "fd00:42::42",  # Scaleway
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd20:ce::254",  # Google
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)

# The first that holds an address names the rule.
_RANGES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("unspecified", ("0.0.0.0/32", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("broadcast", ("255.255.255.255/32",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("site-local", ("fec0::/10",)),
    ("shared", ("100.64.0.0/10",)),
    ("v4-mapped", ("::ffff:0:0/96",)),
    ("v4-compatible", ("::/96",)),
    ("v4-translated", ("::ffff:0:0:0/96",)),
    ("nat64", ("64:ff9b::/96",)),
    ("nat64-local", ("64:ff9b:1::/48",)),
    ("6to4", ("2002::/16", "192.88.99.0/24")),
    ("teredo", ("2001::/32",)),
    ("reserved", ("0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23")),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
)

_ORDINARY: Final[tuple[IPv6Network, ...]] = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))
"""Of IPv6 only these may hold hosts; the rest is not handed out (RFC 4291 §2.4)."""


def _parsed(version: int) -> tuple[tuple[str, tuple[Network, ...]], ...]:
    def of_version(texts: Iterable[str]) -> tuple[Network, ...]:
        return tuple(network for network in map(ip_network, texts) if network.version == version)

    return tuple((rule, of_version(texts)) for rule, texts in _RANGES)


_PARSED: Final = {version: _parsed(version) for version in (4, 6)}


def special(address: Address) -> str | None:
    """The rule that refuses an address, or None where it is an ordinary host's, private networks included."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "scoped"
    if address in _METADATA:
        return "metadata"
    for rule, networks in _PARSED[address.version]:
        if any(address in network for network in networks):
            return rule
    if isinstance(address, IPv6Address) and not any(address in network for network in _ORDINARY):
        return "reserved"
    return None


def embedded(address: Address) -> IPv4Address | None:
    """
    The IPv4 address that an IPv6 address leads to in the end, where its form says so.

    From RFC 4291 §2.5.5 (mapped, compatible), RFC 7915 (translated), RFC 6052 §2.2 (NAT64), RFC 3056 (6to4) and RFC 4380 (Teredo).
    """
    if isinstance(address, IPv4Address):
        return None
    bare = IPv6Address(int(address))
    rule = special(bare)
    if rule == "6to4":
        return bare.sixtofour
    if rule == "teredo":
        return bare.teredo[1] if bare.teredo else None
    if rule in {"v4-mapped", "v4-compatible", "v4-translated", "nat64", "nat64-local"}:
        return IPv4Address(int(bare) & 0xFFFFFFFF)
    return None


def without_zone(address: Address) -> Address:
    """The address itself, without the interface that it is meant on (RFC 4007 §11)."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) and address.scope_id is not None else address
