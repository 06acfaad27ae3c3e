"""Sandboxes that the configuration lists."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import SandboxId, ServiceName, new_sandbox_id
from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.sandboxes.static import StaticDriver
from tests.sandboxes.recording import RecordingFactory


class StaticDriverTests(SynchronousTestCase):
    """StaticDriver."""

    def setUp(self) -> None:
        self.link = MemoryLink(Clock(), RecordingFactory())
        self.known = new_sandbox_id()
        self.links: dict[SandboxId, dict[ServiceName, ILink]] = {self.known: {ServiceName.APP: self.link}}
        self.driver = StaticDriver(self.links)

    def test_is_a_driver(self) -> None:
        """It provides ISandboxDriver."""
        verifyObject(ISandboxDriver, self.driver)

    def test_known(self) -> None:
        """The link that a service was given is the link to it."""
        self.assertIs(self.driver.link(self.known, ServiceName.APP), self.link)

    def test_unknown(self) -> None:
        """A service that was not given, and a sandbox that is not known, have no link."""
        self.assertIsNone(self.driver.link(self.known, ServiceName.SSH))
        self.assertIsNone(self.driver.link(new_sandbox_id(), ServiceName.APP))

    def test_copied(self) -> None:
        """What happens to the mapping afterwards changes nothing."""
        self.links[self.known].clear()
        self.links.clear()
        self.assertIs(self.driver.link(self.known, ServiceName.APP), self.link)
