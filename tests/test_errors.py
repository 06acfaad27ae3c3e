"""Faults."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from coral_gate import errors
from coral_gate.audit.fields import word
from coral_gate.errors import Fault, UpstreamTooSlow
from coral_gate.http1.rules import RefusedRequest, Rule


def _below(fault: type[Fault]) -> Iterator[type[Fault]]:
    yield fault
    for one in fault.__subclasses__():
        yield from _below(one)


class WordTests(SynchronousTestCase):
    """The machine word of a fault."""

    def test_own(self) -> None:
        """A fault that was raised with a word has that word."""
        self.assertEqual(UpstreamTooSlow("deadline-answer").word, "deadline-answer")
        self.assertEqual(RefusedRequest(Rule.HOST_COUNT).word, "host-count")

    def test_class(self) -> None:
        """One that was raised with nothing, or with a text for people, has the word of its class."""
        self.assertEqual(UpstreamTooSlow().word, "upstream-too-slow")
        self.assertEqual(UpstreamTooSlow("It took 1 s.").word, "upstream-too-slow")

    def test_audit_takes_it(self) -> None:
        """The audit takes the word of every fault there is."""
        plain = [fault for fault in _below(errors.Fault) if fault.__init__ is Exception.__init__]
        self.assertGreater(len(plain), 8)
        for fault in plain:
            self.assertTrue(word(fault().word))
            self.assertTrue(word(fault("A text, for people!").word))
