"""
What every provider must do. Mixed into a case for each, which says how to make one.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from coral_gate.custody.folder import Files
from coral_gate.errors import SealBroken
from coral_gate.interfaces import IKeyring
from coral_gate.model import Secret

_T = TypeVar("_T")
KEY = b"k" * 32


class Case(SynchronousTestCase):
    """A case whose coroutines need not wait."""

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of something that need not wait."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, work: Coroutine[Any, Any, object], kind: type[BaseException]) -> BaseException:
        """The fault with which something ends at once."""
        value: BaseException = self.failureResultOf(Deferred.fromCoroutine(work), kind).value
        return value


class KeyringContract(Case):
    """What every keyring that holds keys must do."""

    def make(self) -> IKeyring:
        """A keyring that is ready."""
        raise NotImplementedError

    def rotate(self) -> None:
        """Make a new version current."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.keyring = self.make()

    def wrap(self) -> bytes:
        """A key wrapped for Alice."""
        return self.do(self.keyring.wrap(Secret(KEY), "alice", 1))

    def test_interface(self) -> None:
        """It is a keyring, and ready."""
        self.assertTrue(verifyObject(IKeyring, self.keyring))
        self.assertTrue(self.keyring.state().ready)

    def test_round_trip(self) -> None:
        """A wrapped key opens for its holder and version, as it was, and cannot be read."""
        wrapped = self.wrap()
        self.assertNotIn(KEY[:8], wrapped)
        self.assertEqual(self.do(self.keyring.unwrap(wrapped, "alice", 1)).reveal(), KEY)

    def test_bound(self) -> None:
        """It opens for no other holder, no other version, and not when a byte is changed or missing."""
        wrapped = self.wrap()
        changed = wrapped[:-1] + bytes((wrapped[-1] ^ 1,))
        for value, holder, version in ((wrapped, "bob", 1), (wrapped, "alice", 2), (changed, "alice", 1), (wrapped[:-1], "alice", 1)):
            self.refused(self.keyring.unwrap(value, holder, version), SealBroken)

    def test_rotation(self) -> None:
        """After a rotation the old still opens, the new is under the new version, and which is which can be seen."""
        before, old = self.keyring.current(), self.wrap()
        self.rotate()
        self.assertNotEqual(self.keyring.current(), before)
        new = self.wrap()
        self.assertEqual((self.keyring.wrapped_under(old), self.keyring.wrapped_under(new)), (before, self.keyring.current()))
        for wrapped in (old, new):
            self.assertEqual(self.do(self.keyring.unwrap(wrapped, "alice", 1)).reveal(), KEY)

    def test_fresh(self) -> None:
        """Wrapping the same again gives other bytes."""
        self.assertEqual(len({self.wrap() for _ in range(100)}), 100)

    def test_never_wrapped(self) -> None:
        """What was never wrapped has no version."""
        self.assertRaises(SealBroken, self.keyring.wrapped_under, b"")


class FilesContract(Case):
    """What every folder of small files must do."""

    def make(self) -> Files:
        """An empty folder."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.files = self.make()

    def test_create(self) -> None:
        """A file is there once it is made, and is not made twice."""
        self.files.create("b", b"\0new")
        self.files.create("a", b"")
        self.assertEqual((self.files.names(), self.files.read("b"), self.files.read("a")), (("a", "b"), b"\0new", b""))
        self.assertRaises(FileExistsError, self.files.create, "b", b"other")
        self.assertEqual(self.files.read("b"), b"\0new")

    def test_absent(self) -> None:
        """Of a file that is not there nothing is read, and nothing else can be done with it."""
        self.assertIs(self.files.read("none"), None)
        self.assertRaises(FileNotFoundError, self.files.overwrite, "none", b"")
        self.assertRaises(FileNotFoundError, self.files.sync, "none")
        self.assertRaises(FileNotFoundError, self.files.rename, "none", "other")
        self.assertRaises(FileNotFoundError, self.files.unlink, "none")
        self.assertEqual(self.files.names(), ())

    def test_overwrite(self) -> None:
        """Overwriting puts new bytes where the old ones were, in the same file."""
        self.files.create("a", b"12345678")
        self.files.overwrite("a", b"abcd")
        self.files.sync("a")
        self.assertEqual(self.files.read("a"), b"abcd5678")

    def test_rename(self) -> None:
        """Renaming takes the place of a file of that name."""
        self.files.create("a", b"new")
        self.files.create("b", b"old")
        self.files.rename("a", "b")
        self.files.sync_names()
        self.assertEqual((self.files.names(), self.files.read("b")), (("b",), b"new"))

    def test_unlink(self) -> None:
        """An unlinked file is gone."""
        self.files.create("a", b"")
        self.files.unlink("a")
        self.assertEqual((self.files.names(), self.files.read("a")), ((), None))

    def test_lock_is_given_back(self) -> None:
        """The lock can be had again, also after an error inside."""
        with self.assertRaises(ZeroDivisionError), self.files.locked():
            raise ZeroDivisionError
        with self.files.locked():
            pass
