"""Asking the name service once."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.sandboxes.resolution import resolve
from tests.sandboxes.scripted_resolver import ScriptedResolver

ONE = IPv4Address("TCP", "10.0.0.1", 80)
TWO = IPv4Address("TCP", "10.0.0.2", 80)


class ResolutionTests(SynchronousTestCase):
    """resolve()."""

    def test_all_answers(self) -> None:
        """Every answer is given, in its order, when the last is there."""
        resolver = ScriptedResolver()
        found = resolve(resolver, "vm.example", 80)
        [receiver] = resolver.late
        receiver.addressResolved(TWO)
        receiver.addressResolved(ONE)
        self.assertNoResult(found)
        receiver.resolutionComplete()
        self.assertEqual(self.successResultOf(found), [TWO, ONE])
        self.assertEqual(resolver.asked, ["vm.example"])

    def test_none(self) -> None:
        """A name without addresses has none."""
        self.assertEqual(self.successResultOf(resolve(ScriptedResolver([]), "vm.example", 80)), [])

    def test_cancel(self) -> None:
        """Cancelling ends the wait at once, whether or not the resolver can be cancelled; a late answer is dropped."""
        for cancellable in (True, False):
            resolver = ScriptedResolver(cancellable=cancellable)
            found = resolve(resolver, "vm.example", 80)
            found.cancel()
            self.failureResultOf(found, CancelledError)
            self.assertIs(resolver.resolutions[0].cancelled, cancellable)
            resolver.answer(resolver.late[0], [ONE])
