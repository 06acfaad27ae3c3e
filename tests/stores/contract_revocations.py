"""
What every `IRevocationLog` keeps.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from coral_gate.interfaces import IRevocationLog
from coral_gate.records import Because
from tests.stores.contract import StoreContract, digest, later


class RevocationLogContract(StoreContract):
    """What every `IRevocationLog` keeps."""

    def revoke(self, count: int) -> None:
        """End so many sessions, a second apart."""
        ann = self.person("ann")
        for number in range(count):
            self.signed_in(ann, f"s{number}")
            self.ask(self.stores.sessions.end(digest(f"s{number}"), Because(f"number {number}", later(number))))

    def numbers(self, since: int, most: int = 1000) -> list[int] | None:
        """The numbers after a number."""
        rows = self.ask(self.stores.revocations.since(since, most))
        return None if rows is None else [row.seq for row in rows]

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(IRevocationLog, self.stores.revocations)

    def test_numbers(self) -> None:
        """Each revocation has the next number; reading begins after the last one known, in bounded portions."""
        self.assertEqual((0, []), (self.ask(self.stores.revocations.last()), self.numbers(0)))
        self.revoke(4)
        self.assertEqual(4, self.ask(self.stores.revocations.last()))
        self.assertEqual([1, 2, 3, 4], self.numbers(0))
        self.assertEqual([3], self.numbers(2, most=1))
        self.assertEqual([], self.numbers(4))

    def test_numbers_never_given(self) -> None:
        """A number from the future says that this is not the store that gave it."""
        self.revoke(2)
        self.assertIsNone(self.numbers(3))
        self.assertIsNone(self.numbers(-1))

    def test_forget(self) -> None:
        """Who asks from before what is forgotten learns that there is a gap; who was up to date sees none."""
        self.revoke(4)
        self.assertEqual(2, self.ask(self.stores.revocations.forget(later(2))))
        self.assertIsNone(self.numbers(0))
        self.assertIsNone(self.numbers(1))
        self.assertEqual([3, 4], self.numbers(2))

    def test_the_last_stays(self) -> None:
        """The last number is never forgotten, nor given again."""
        self.assertEqual(0, self.ask(self.stores.revocations.forget(later(99))))
        self.revoke(3)
        self.assertEqual(2, self.ask(self.stores.revocations.forget(later(99))))
        self.assertEqual((3, []), (self.ask(self.stores.revocations.last()), self.numbers(3)))
        self.revoke(1)
        self.assertEqual([4], self.numbers(3))

    def test_a_clock_that_went_back(self) -> None:
        """Forgetting leaves no hole among the numbers, whatever the clock did."""
        ann = self.person("ann")
        for number, at in enumerate((5, 1, 2, 9)):
            self.signed_in(ann, f"s{number}")
            self.ask(self.stores.sessions.end(digest(f"s{number}"), Because("x", later(at))))
        self.assertEqual(0, self.ask(self.stores.revocations.forget(later(3))))
        self.assertEqual([1, 2, 3, 4], self.numbers(0))
