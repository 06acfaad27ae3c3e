"""
Where the built-in issuer may run: on loopback alone, under names that mean nothing elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


def check_interfaces(interfaces: Iterable[str]) -> None:
    """
    Check the addresses that the daemon listens on.

    :param interfaces: numeric, one for each listener; the empty string listens everywhere.
    :raises ValueError: there is none, or one of them is not loopback; a full sentence.
    """
    addresses = list(interfaces)
    if not addresses or not all(_is_loopback(text) for text in addresses):
        raise ValueError("The built-in issuer is for trying out: every listener must be on 127.0.0.1 or ::1.")


def check_local_url(url: str) -> None:
    """
    Check an address of the issuer or of its client.

    :raises ValueError: its host is not below `.localhost` (RFC 6761 §6.3); a full sentence.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host.endswith(".localhost") or host == ".localhost":
        raise ValueError("The built-in issuer is for trying out: the portal's name must end in .localhost.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("The built-in issuer's address has no query, no fragment and no user's name.")


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # An IPv4 address in IPv6's clothes is not taken: kernels and libraries disagree about what it reaches.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
