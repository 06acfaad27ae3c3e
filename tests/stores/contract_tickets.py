"""
What every `ITicketStore` keeps.
"""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from coral_gate.errors import Conflict
from coral_gate.interfaces import ITicketStore
from tests.stores.contract import BECAUSE, NOW, StoreContract, a_ticket, digest, later


class TicketStoreContract(StoreContract):
    """What every `ITicketStore` keeps."""

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(ITicketStore, self.stores.tickets)

    def test_taken_once(self) -> None:
        """A ticket is given as it was put, once; a ticket that was never put, not at all."""
        ticket = a_ticket(self.signed_in(self.person("ann"), "mine"), "code", later(30))
        self.assertTrue(self.ask(self.stores.tickets.put(ticket)))
        self.assertIsNone(self.ask(self.stores.tickets.take(digest("other"), NOW)))
        self.assertEqual(ticket, self.ask(self.stores.tickets.take(ticket.digest, NOW)))
        self.assertIsNone(self.ask(self.stores.tickets.take(ticket.digest, NOW)))

    def test_too_old(self) -> None:
        """From the instant it expires a ticket is not given, and is spent by the try."""
        ticket = a_ticket(self.signed_in(self.person("ann"), "mine"), "code", later(30))
        self.ask(self.stores.tickets.put(ticket))
        self.assertIsNone(self.ask(self.stores.tickets.take(ticket.digest, later(30))))
        self.assertIsNone(self.ask(self.stores.tickets.take(ticket.digest, NOW)))

    def test_session_must_be_there(self) -> None:
        """For a session that is gone, or another user's, no ticket is kept."""
        ann, bob = self.person("ann"), self.person("bob")
        ticket = a_ticket(self.signed_in(ann, "mine"), "code", later(30))
        for wrong in (evolve(ticket, session=digest("none")), evolve(ticket, user=bob.id)):
            self.assertFalse(self.ask(self.stores.tickets.put(wrong)))
            self.assertIsNone(self.ask(self.stores.tickets.take(ticket.digest, NOW)))

    def test_digest_once(self) -> None:
        """A ticket that is there already is a conflict, and stays as it was."""
        session = self.signed_in(self.person("ann"), "mine")
        ticket = a_ticket(session, "code", later(30))
        self.ask(self.stores.tickets.put(ticket))
        self.refused(Conflict, self.stores.tickets.put(evolve(ticket, origin="https://c.example")))
        self.assertEqual(ticket, self.ask(self.stores.tickets.take(ticket.digest, NOW)))

    def test_purge(self) -> None:
        """Tickets that are too old are deleted, others stay."""
        session = self.signed_in(self.person("ann"), "mine")
        for name, seconds in (("a", 10), ("b", 20), ("c", 30)):
            self.ask(self.stores.tickets.put(a_ticket(session, name, later(seconds))))
        self.assertEqual(2, self.ask(self.stores.tickets.purge(later(20))))
        self.assertIsNotNone(self.ask(self.stores.tickets.take(digest("c"), NOW)))

    def test_ends_with_its_session(self) -> None:
        """A ticket of a session that has ended opens nothing."""
        session = self.signed_in(self.person("ann"), "mine")
        self.ask(self.stores.tickets.put(a_ticket(session, "code", later(30))))
        self.ask(self.stores.sessions.end(session.digest, BECAUSE))
        self.assertIsNone(self.ask(self.stores.tickets.take(digest("code"), NOW)))
