"""
Which addresses a link may dial.

A sandbox's address comes from configuration, from a database or from the name service. None of these may turn the
gate against its own machine, its stores or the cloud that it runs in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, TypeAlias

from attrs import field, frozen

from coral_gate.sandboxes.special_ranges import EXACT_ONLY, Address, Network, embedded, special, without_zone

Endpoint: TypeAlias = tuple[Address, int]
"""An address and a port."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_NAME_CHARACTERS: Final = 253

_rule = lru_cache(maxsize=4096)(special)  # each connection asks, and a link has few addresses


def dialled(text: str) -> Address | str:
    """
    Read what a link is to dial: an address, or a host name in lower case (RFC 1123 §2.1).

    Spellings that the C library would take for an IPv4 address (`127.1`, `0x7f000001`) are neither.

    :raises ValueError: it is neither.
    """
    try:
        return ip_address(text)
    except ValueError:
        return host_name(text)


def host_name(text: str) -> str:
    """
    Read a host name: letters, digits and hyphens, its last label not a number.

    :raises ValueError: it is none.
    """
    name = text.lower() if text.isascii() else ""
    labels = name.split(".")
    if len(name) > _NAME_CHARACTERS or not all(map(_LABEL.match, labels)) or _NUMBER.match(labels[-1]):
        raise ValueError("a host name is letters, digits and hyphens with dots between, its last part not a number")
    return name


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(host_name, names))


def _without_zones(endpoints: Iterable[Endpoint]) -> frozenset[Endpoint]:
    return frozenset((without_zone(address), port) for address, port in endpoints)


def _networks(networks: Iterable[Network]) -> tuple[Network, ...]:
    return tuple(networks)


def _is_here(address: Address, is_local: Callable[[Address], bool]) -> bool:
    return _rule(address) in {"loopback", "unspecified"} or is_local(address)


@frozen
class AddressPolicy:
    """
    What may be dialled: any ordinary host, private networks included, and of the special ranges what is allowed by name.

    The allow list never lifts `own`. A network or a name in it does not lift the rules of `EXACT_ONLY`, so that
    neither a wide network nor a name that changes its answer reaches a cloud's metadata service.

    :ivar allow_networks: an address is a network of one.
    :ivar allow_names: host names in lower case; what they resolve to is allowed.
    :ivar own: where the gate itself and its stores listen. An unspecified address (`0.0.0.0`, `::`) stands for every
        address of this machine, of both versions.
    """

    allow_networks: tuple[Network, ...] = field(default=(), converter=_networks)
    allow_names: frozenset[str] = field(default=frozenset(), converter=_names)
    own: frozenset[Endpoint] = field(default=frozenset(), converter=_without_zones)

    def refusal(self, address: Address, port: int, is_local: Callable[[Address], bool], name: str | None = None) -> str | None:
        """
        Why an address must not be dialled, as a word for the audit trail; None where it may be.

        :param is_local: whether an address is one of this machine's; asked only where that decides.
        :param name: the host name that resolved to the address.
        """
        if self._is_own(address, port, is_local):
            return "own-endpoint"
        rule = _rule(address)
        if rule is None or self._lifted(address, rule, name):
            return None
        return rule

    def asks_the_machine(self, port: int) -> bool:
        """Whether a verdict on this port may need `is_local`; where not, an address's verdict never changes."""
        return any(own.is_unspecified and its_port == port for own, its_port in self.own)

    def _is_own(self, address: Address, port: int, is_local: Callable[[Address], bool]) -> bool:
        ours = {endpoint for endpoint, its_port in self.own if its_port == port}
        if not ours:
            return False
        reached = {without_zone(address), embedded(address) or without_zone(address)}
        if reached & ours:
            return True
        return any(own.is_unspecified for own in ours) and any(_is_here(one, is_local) for one in reached)

    def _lifted(self, address: Address, rule: str, name: str | None) -> bool:
        holding = [network for network in self.allow_networks if address in network]
        if any(network.num_addresses == 1 for network in holding):
            return self._inner_lifted(address, name)
        if rule in EXACT_ONLY:
            return False
        return (bool(holding) or name in self.allow_names) and self._inner_lifted(address, name)

    def _inner_lifted(self, address: Address, name: str | None) -> bool:
        inner = embedded(address)
        if inner is None:
            return True
        rule = _rule(inner)
        return rule is None or self._lifted(inner, rule, name)
