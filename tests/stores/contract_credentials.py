"""
What every `ICredentialStore` keeps.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from coral_gate.interfaces import ICredentialStore
from coral_gate.model import SealedCredential, ServiceName, UserId
from coral_gate.records import owner_id
from coral_gate.stores.providers import Stores
from tests.stores.contract import NOW, Base, box_id, later

T = TypeVar("T")

ANN = UserId("https://issuer.example", "ann")
BOB = UserId("https://issuer.example", "bob")
ROW = SealedCredential(box_id("a"), ServiceName.APP, ANN, 1, b"\0sealed\xff", NOW)


class CredentialStoreContract(Base):
    """A suite; the class that gives `build` is the one that runs."""

    if TYPE_CHECKING:

        def build(self) -> Stores:
            """Empty stores that share their tables."""
            ...

    def setUp(self) -> None:
        super().setUp()
        self.stores = self.build()
        self.credentials = self.stores.credentials

    def reply(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:  # Any: what Deferred.fromCoroutine takes
        """What the store answers, at once."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def found(self, row: SealedCredential) -> SealedCredential | None:
        """What is stored in the place of a row."""
        return self.reply(self.credentials.find(row.owner, row.sandbox, row.service))

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        self.assertTrue(verifyObject(ICredentialStore, self.credentials))

    def test_as_put(self) -> None:
        """A row is found as it was put, and nothing where none was."""
        self.assertIsNone(self.found(ROW))
        self.assertTrue(self.reply(self.credentials.put(ROW, None)))
        self.assertEqual(self.found(ROW), ROW)
        self.assertIsNone(self.found(evolve(ROW, service=ServiceName.VNC)))
        self.assertIsNone(self.found(evolve(ROW, sandbox=box_id("b"))))

    def test_largest(self) -> None:
        """The largest sealed value there can be is kept whole."""
        row = evolve(ROW, sealed=bytes(range(256)) * 256 + bytes(34))
        self.reply(self.credentials.put(row, None))
        self.assertEqual(self.found(row), row)

    def test_replaced_by_who_saw_it(self) -> None:
        """A row is replaced only by a writer who saw it as it is; any other changes nothing."""
        second = evolve(ROW, version=2, sealed=b"second", changed_at=later(1))
        self.assertFalse(self.reply(self.credentials.put(second, 1)))
        self.assertIsNone(self.found(ROW))
        self.reply(self.credentials.put(ROW, None))
        for replaces in (None, 2, 0):
            self.assertFalse(self.reply(self.credentials.put(second, replaces)))
            self.assertEqual(self.found(ROW), ROW)
        self.assertTrue(self.reply(self.credentials.put(second, 1)))
        self.assertEqual(self.found(ROW), second)

    def test_owners_alone(self) -> None:
        """To anybody but its owner a row is not there: not to find, list, replace or delete, nor may they take its place."""
        self.reply(self.credentials.put(ROW, None))
        theirs = evolve(ROW, owner=BOB, sealed=b"theirs")
        self.assertIsNone(self.found(theirs))
        self.assertEqual(self.reply(self.credentials.list(BOB, ROW.sandbox)), ())
        self.assertFalse(self.reply(self.credentials.delete(BOB, ROW.sandbox, ROW.service)))
        for replaces in (None, 1):
            self.assertFalse(self.reply(self.credentials.put(evolve(theirs, version=2), replaces)))
        self.assertEqual(self.found(ROW), ROW)

    def test_list(self) -> None:
        """A sandbox's rows are listed in the order of the services' names, without those of other sandboxes."""
        rows = [evolve(ROW, service=service) for service in (ServiceName.VNC, ServiceName.APP, ServiceName.SSH)]
        for row in (*rows, evolve(ROW, sandbox=box_id("b"))):
            self.reply(self.credentials.put(row, None))
        self.assertEqual(self.reply(self.credentials.list(ANN, ROW.sandbox)), (rows[1], rows[2], rows[0]))

    def test_delete(self) -> None:
        """A deleted row is gone, the others stay, and a new one may take its place."""
        other = evolve(ROW, service=ServiceName.SSH)
        self.reply(self.credentials.put(ROW, None))
        self.reply(self.credentials.put(other, None))
        self.assertTrue(self.reply(self.credentials.delete(ANN, ROW.sandbox, ROW.service)))
        self.assertFalse(self.reply(self.credentials.delete(ANN, ROW.sandbox, ROW.service)))
        self.assertEqual((self.found(ROW), self.found(other)), (None, other))
        self.assertTrue(self.reply(self.credentials.put(ROW, None)))

    def test_told(self) -> None:
        """Whoever replaces or deletes a row commits a revocation with it; what changes nothing tells nothing."""
        ssh = evolve(ROW, service=ServiceName.SSH)
        for row in (ROW, ssh):
            self.reply(self.credentials.put(row, None))
        self.assertEqual([], self.told())
        self.reply(self.credentials.put(evolve(ROW, version=2), 7))
        self.reply(self.credentials.put(evolve(ROW, owner=BOB, version=2), 1))
        self.reply(self.credentials.delete(BOB, ROW.sandbox, ROW.service))
        self.assertEqual([], self.told())
        self.reply(self.credentials.put(evolve(ROW, version=2), 1))
        self.assertEqual(["changed"], self.told())
        self.reply(self.credentials.delete(ANN, ROW.sandbox, ssh.service))
        self.reply(self.credentials.delete(ANN, ROW.sandbox, ssh.service))
        self.assertEqual(["changed", "deleted"], self.told())

    def told(self) -> list[str]:
        """Why each revocation was, all of which are of this owner's credentials at this sandbox."""
        rows = self.reply(self.stores.revocations.since(0)) or ()
        self.assertLessEqual({(row.kind.value, row.subject, row.user) for row in rows}, {("credential", ROW.sandbox, owner_id(ANN))})
        return [row.reason for row in rows]
