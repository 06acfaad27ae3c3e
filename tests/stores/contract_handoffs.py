"""
What every `IHandoffStore` keeps.
"""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from coral_gate.errors import Conflict
from coral_gate.interfaces import IHandoffStore
from tests.stores.contract import NOW, StoreContract, a_handoff, digest, later


class HandoffStoreContract(StoreContract):
    """What every `IHandoffStore` keeps."""

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(IHandoffStore, self.stores.handoffs)

    def test_taken_once(self) -> None:
        """A code is given as it was put, once; a code that was never put, not at all."""
        code = a_handoff(self.signed_in(self.person("ann"), "mine"), "code", later(30))
        self.assertTrue(self.ask(self.stores.handoffs.put(code)))
        self.assertIsNone(self.ask(self.stores.handoffs.take(digest("other"), NOW)))
        self.assertEqual(code, self.ask(self.stores.handoffs.take(code.digest, NOW)))
        self.assertIsNone(self.ask(self.stores.handoffs.take(code.digest, NOW)))

    def test_too_old(self) -> None:
        """From the instant it expires a code is not given, and is spent by the try."""
        code = a_handoff(self.signed_in(self.person("ann"), "mine"), "code", later(30))
        self.ask(self.stores.handoffs.put(code))
        self.assertIsNone(self.ask(self.stores.handoffs.take(code.digest, later(30))))
        self.assertIsNone(self.ask(self.stores.handoffs.take(code.digest, NOW)))

    def test_session_must_be_there(self) -> None:
        """For a session that is gone, or another user's, no code is kept."""
        ann, bob = self.person("ann"), self.person("bob")
        code = a_handoff(self.signed_in(ann, "mine"), "code", later(30))
        for wrong in (evolve(code, session=digest("none")), evolve(code, user=bob.id)):
            self.assertFalse(self.ask(self.stores.handoffs.put(wrong)))
            self.assertIsNone(self.ask(self.stores.handoffs.take(code.digest, NOW)))

    def test_digest_once(self) -> None:
        """A code that is there already is a conflict, and stays as it was."""
        session = self.signed_in(self.person("ann"), "mine")
        code = a_handoff(session, "code", later(30))
        self.ask(self.stores.handoffs.put(code))
        self.refused(Conflict, self.stores.handoffs.put(evolve(code, path="/elsewhere")))
        self.assertEqual(code, self.ask(self.stores.handoffs.take(code.digest, NOW)))

    def test_purge(self) -> None:
        """Codes that are too old are deleted, others stay."""
        session = self.signed_in(self.person("ann"), "mine")
        for name, seconds in (("a", 10), ("b", 20), ("c", 30)):
            self.ask(self.stores.handoffs.put(a_handoff(session, name, later(seconds))))
        self.assertEqual(2, self.ask(self.stores.handoffs.purge(later(20))))
        self.assertIsNotNone(self.ask(self.stores.handoffs.take(digest("c"), NOW)))

    def test_path_stays_here(self) -> None:
        """A code leads to a path on the sandbox's origin and nowhere else."""
        code = a_handoff(self.signed_in(self.person("ann"), "mine"), "code", later(30))
        for path in ("", "x", "//evil.example", "/a b", "/a\r\nb", "/" + "x" * 2048):
            self.assertRaises(ValueError, evolve, code, path=path)
