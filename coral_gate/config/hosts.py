"""
Host names and web origins, as they stand in the configuration: lower case, strict, never an address where a name is meant.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias

from attrs import frozen

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NAME_CHARACTERS: Final = 253
_ORIGIN: Final = re.compile(r"https://([^/?#@:]*)(?::([0-9]{1,5}))?\Z")
_HTTPS_PORT: Final = 443


@frozen
class Origin:
    """
    A web origin with the scheme `https` (RFC 6454 §4).

    :ivar host: a lower-case name.
    :ivar port: 1-65535.
    """

    host: str
    port: int = _HTTPS_PORT

    @property
    def authority(self) -> str:
        """What a browser sends as Host: without the port where that is 443."""
        return self.host if self.port == _HTTPS_PORT else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"https://{self.authority}"

    def below(self, label: str) -> Origin:
        """The origin one label below this one, as each sandbox has below the sandboxes' site."""
        return Origin(f"{label}.{self.host}", self.port)


def origin(text: str) -> Origin:
    """
    Read an origin: `https://gate.example` or with a port.

    :raises ValueError: it is anything else; the sentence does not repeat it, since it might hold a password.
    """
    match = _ORIGIN.match(text)
    if match is None:
        raise ValueError("Write https://, a name and where needed a port; no user, no path, no slash at the end.")
    return Origin(host_name(match[1]), port_number(match[2]) if match[2] else _HTTPS_PORT)


def host_name(text: str) -> str:
    """
    Read a host name (RFC 1123 §2.1), in lower case; names beyond ASCII in their `xn--` form.

    :raises ValueError: it is none, or it is an address.
    """
    labels = text.split(".")
    if len(text) > _NAME_CHARACTERS or not all(_LABEL.match(label) for label in labels):
        raise ValueError("A host name is lower-case letters, digits and hyphens, in labels of at most 63 with dots between.")
    if labels[-1].isdigit() or re.match(r"0x[0-9a-f]*\Z", labels[-1]):
        # What browsers take for an IPv4 address (WHATWG URL, "ends in a number").
        raise ValueError("Write a name here; this is an address.")
    return text


def host_pattern(text: str) -> str:
    """
    Read a host name, or `*.` and a host name.

    :raises ValueError: it is neither.
    """
    host_name(text.removeprefix("*."))
    return text


def host(text: str) -> str:
    """
    Read what can be dialled: a host name or an address, IPv6 without brackets; the address comes back in its usual form.

    :raises ValueError: it is neither.
    """
    literal = address(text)
    return str(literal) if literal is not None else host_name(text)


def address(text: str) -> Address | None:
    """The address that a text spells, without a zone; None where it spells none."""
    try:
        literal = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if isinstance(literal, ipaddress.IPv6Address) and literal.scope_id else literal


def is_special(literal: Address) -> bool:
    """Whether an address plainly is no other machine's: loopback, link-local, unspecified or multicast."""
    return literal.is_loopback or literal.is_link_local or literal.is_unspecified or literal.is_multicast


def network(text: str) -> Network:
    """
    Read an address or a network such as `10.1.0.0/16`, without a zone.

    :raises ValueError: it is neither, or has bits beyond its prefix.
    """
    try:
        read = ipaddress.ip_network(text)
    except ValueError:
        read = None
    if read is None or "%" in text:
        raise ValueError("Write an address, or a network whose bits beyond the prefix are zero.")
    return read


def port_number(text: str) -> int:
    """
    Read a port.

    :raises ValueError: it is not 1-65535.
    """
    if not re.match(r"[1-9][0-9]{0,4}\Z", text) or int(text) > 0xFFFF:
        raise ValueError("A port is a number from 1 to 65535.")
    return int(text)


def same_site(one: str, other: str) -> bool:
    """
    Whether browsers may take two hosts for one site: their last two labels agree.

    Below `localhost`, which browsers treat like a public suffix, every name is a site of its own. The public suffix
    list is not read: it changes, and browsers carry their own.
    """
    if one.endswith(".localhost") and other.endswith(".localhost"):
        return one.split(".")[-2] == other.split(".")[-2]
    return one.split(".")[-2:] == other.split(".")[-2:]


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name stands for a host: itself, or `*.` for exactly one label (RFC 6125 §6.4.3)."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name
