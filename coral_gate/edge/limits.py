"""
How many connections there may be, in all and from one address; and whether a slow reader reads at all.
"""

from __future__ import annotations

import fcntl
import ipaddress
import struct
import termios
from collections import Counter

from twisted.internet.interfaces import IAddress


def address_text(address: IAddress | None) -> str:
    """A peer's address as text; empty for one that has none, as on a UNIX socket."""
    return str(getattr(address, "host", ""))


def counted_as(address: str) -> str:
    """What an address is counted as: itself, or its /64 for IPv6, which one customer has whole (RFC 6177)."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


class ConnectionCaps:
    """
    Counts connections, and refuses those above a cap.

    :param total: in all.
    :param per_address: from one address (see `counted_as`); a peer without an address is counted in all only.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._open = 0
        self._by_address: Counter[str] = Counter()

    def limit(self, total: int, per_address: int) -> None:
        """Refuse what is above these caps from now on; connections that are open stay."""
        self._total, self._per_address = total, per_address

    def enter(self, address: str) -> bool:
        """Count one connection; False where it is one too many and must be closed."""
        key = counted_as(address)
        if self._open >= self._total or (key and self._by_address[key] >= self._per_address):
            return False
        self._open += 1
        if key:
            self._by_address[key] += 1
        return True

    def leave(self, address: str) -> None:
        """One counted connection is over."""
        key = counted_as(address)
        self._open -= 1
        if key:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]


def unsent_bytes(transport: object) -> int | None:
    """
    What the kernel holds for a peer that has not acknowledged it, in octets; None where that cannot be known.

    It tells a slow reader, for whom it falls, from one that is asleep (Linux tcp(7), SIOCOUTQ).
    """
    fileno = getattr(transport, "fileno", None)
    if fileno is None:
        return None
    try:
        return int(struct.unpack("i", fcntl.ioctl(fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (OSError, TypeError, ValueError):
        return None
