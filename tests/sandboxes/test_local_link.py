"""The link to a sandbox on this machine."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import DriverFault, SandboxStarting, UpstreamUnreachable
from coral_gate.model import Condition, SandboxState
from coral_gate.sandboxes.local.link import LocalLink


@define(eq=False)
class Life:
    """
    A sandbox's life as a link sees it.

    :ivar starts: one for each time that it was asked to come up.
    """

    condition: Condition
    port: int = 1
    starts: list[Deferred[None]] = field(factory=list)

    async def start(self) -> None:
        """Come up when the test says so."""
        starting: Deferred[None] = Deferred()
        self.starts.append(starting)
        await starting


class LocalLinkTests(SynchronousTestCase):
    """Whoever asks a sandbox that does not run is told at once, and it is started."""

    def ask(self, life: Life) -> Deferred[Any]:
        """Ask for a stream."""
        reactor: Any = None  # nothing is dialled here
        asked: Any = life
        return Deferred.fromCoroutine(LocalLink(reactor, asked, frozenset()).connect(Factory()))

    def test_started(self) -> None:
        """One that is stopped is started, and goes on starting after whoever asked was told so."""
        for state in (SandboxState.STOPPED, SandboxState.STARTING, SandboxState.STOPPING, SandboxState.UNKNOWN):
            life = Life(Condition(state))
            self.failureResultOf(self.ask(life), SandboxStarting)
            [starting] = life.starts
            self.assertFalse(starting.called)

    def test_failed(self) -> None:
        """One that fell is tried again, and is not there meanwhile; that it falls again is no error of anybody's here."""
        life = Life(Condition(SandboxState.FAILED, "why"))
        self.failureResultOf(self.ask(life), UpstreamUnreachable)
        life.starts[0].errback(DriverFault("again"))
        self.assertEqual(self.flushLoggedErrors(), [])
