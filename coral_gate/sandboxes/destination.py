"""Where a link leads, checked each time that it is dialled."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from attrs import field, frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver

from coral_gate.errors import UpstreamUnreachable
from coral_gate.sandboxes.addresses import AddressPolicy, dialled
from coral_gate.sandboxes.attempt import LinkRefused
from coral_gate.sandboxes.local_addresses import is_local
from coral_gate.sandboxes.resolution import resolve
from coral_gate.sandboxes.special_ranges import Address

ANSWERS = 16
"""A name with more addresses than this is refused."""


@frozen(kw_only=True)
class Destination:
    """
    A host and a port that a link may dial only where the policy says so.

    :ivar host: an address, or a host name.
    :ivar port: 1 to 65535.
    :ivar resolver: asked where `host` is a name.
    :ivar loopback_only: refuse every address but a loopback one (rule `plaintext`).
    :ivar is_local: whether an address is this machine's.
    :raises ValueError: `host` or `port` is none.
    """

    host: Address | str = field(converter=dialled)
    port: int = field()
    policy: AddressPolicy
    resolver: IHostnameResolver
    loopback_only: bool = False
    is_local: Callable[[Address], bool] = is_local
    _settled: bool = field(init=False)
    _rule: str | None = field(init=False)

    @port.validator
    def _port(self, attribute: object, value: int) -> None:
        if not 0 < value < 0x10000:
            raise ValueError("a port is 1 to 65535")

    @_settled.default
    def _judged_for_good(self) -> bool:
        # Neither the address nor the policy ever changes; only the machine's own addresses do.
        return not isinstance(self.host, str) and not self.policy.asks_the_machine(self.port)

    @_rule.default
    def _judged_once(self) -> str | None:
        return self._refusal(self.host, None) if self._settled and not isinstance(self.host, str) else None

    def literal(self) -> str | None:
        """
        The address to dial, where the destination is an address; None where it is a name.

        :raises LinkRefused: it must not be dialled.
        """
        if isinstance(self.host, str):
            return None
        return self._allowed(self.host, self._rule if self._settled else self._refusal(self.host, None))

    async def addresses(self) -> list[str]:
        """
        Resolve the name once and judge all of its addresses: one that must not be dialled refuses the whole name.

        :raises LinkRefused: one of them must not be dialled.
        :raises UpstreamUnreachable: the name has no address.
        """
        name = str(self.host)
        answers = await resolve(self.resolver, name, self.port)
        if not answers:
            raise UpstreamUnreachable
        if len(answers) > ANSWERS:
            raise LinkRefused("too-many-answers")
        return list(dict.fromkeys([self._checked(_address(answer), name) for answer in answers]))

    def _checked(self, address: Address, name: str) -> str:
        return self._allowed(address, self._refusal(address, name))

    def _refusal(self, address: Address, name: str | None) -> str | None:
        rule = self.policy.refusal(address, self.port, self.is_local, name)
        return "plaintext" if rule is None and self.loopback_only and not address.is_loopback else rule

    def _allowed(self, address: Address, rule: str | None) -> str:
        if rule is not None:
            raise LinkRefused(rule)
        return str(address)


def _address(answer: IAddress) -> Address:
    if not isinstance(answer, IPv4Address | IPv6Address):
        raise LinkRefused("odd-answer")
    try:
        return ip_address(answer.host)
    except ValueError:
        raise LinkRefused("odd-answer") from None
