"""A link in memory keeps what every link promises."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.interfaces import IProtocolFactory
from twisted.trial.unittest import TestCase

from coral_gate.interfaces import ILink
from coral_gate.sandboxes.memory import MemoryLink
from tests.sandboxes.link_contract import LinkContract, NoProtocol


class MemoryLinkContractTests(LinkContract, TestCase):
    """MemoryLink."""

    timeout = 60

    def serve(self, factory: IProtocolFactory) -> ILink:
        return MemoryLink(reactor, factory)

    def unreachable(self) -> ILink:
        return MemoryLink(reactor, NoProtocol())

    def hanging(self) -> None:
        """A link in memory never waits."""
        return None
