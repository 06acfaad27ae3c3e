"""Users' data keys."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from coral_gate.audit.events import KeyChanged
from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.custody.checkvalues import FolderChecks
from coral_gate.custody.escrow import open_escrow
from coral_gate.custody.escrowfolder import EscrowFolder
from coral_gate.custody.folder import Files, PrivateFolder
from coral_gate.custody.keyring import MemoryKeyring, RefusingKeyring
from coral_gate.custody.memory_files import MemoryFiles
from coral_gate.custody.subkeys import subkey
from coral_gate.custody.threads import at_once
from coral_gate.custody.userkeys import FolderUserKeys, Rewrapped
from coral_gate.custody.wrappedkey import WrappedKey, holder_name
from coral_gate.errors import AuditUnavailable, KeysUnavailable, NoUserKey, SealBroken
from coral_gate.interfaces import IKeyring, IUserKeys
from coral_gate.model import KeyPurpose, Secret, UserId
from tests.custody import contract
from tests.custody.crashing import Disk, State

ALICE = UserId("https://id.example", "alice")
BOB = UserId("https://id.example", "bob")
OPERATOR = X25519PrivateKey.from_private_bytes(bytes(range(32)))
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


class NameTests(contract.Case):
    """Names of users' files."""

    def test_pinned(self) -> None:
        """A user's file is found again by every version to come."""
        self.assertEqual(holder_name(ALICE), "95d7fa65d39051968f6405501b2690577702d7af7ddc7a720cd64d1705699126")

    def test_unambiguous(self) -> None:
        """Issuer and subject do not run into one another."""
        self.assertNotEqual(holder_name(UserId("a", "bc")), holder_name(UserId("ab", "c")))

    def test_file(self) -> None:
        """A user's file is read as it was written, and anything else is refused."""
        kept = WrappedKey(7, b"wrapped")
        self.assertEqual(kept.encode(), b"\xc7\x01\0\0\0\x07wrapped")
        self.assertEqual(WrappedKey.decode(kept.encode()), kept)
        for content in (b"", b"\xc7\x01\0\0\0\x07", b"\xc7\x02\0\0\0\x07wrapped", b"\xc6\x01\0\0\0\x07wrapped"):
            self.assertRaises(SealBroken, WrappedKey.decode, content)


class UserKeysTests(contract.Case):
    """The store, on a folder that works."""

    def setUp(self) -> None:
        self.files, self.copies, self.keyring, self.audit = MemoryFiles(), MemoryFiles(), MemoryKeyring(), MemorySink()
        self.keys = self.store()

    def store(self, keyring: IKeyring | None = None, escrow: bool = True) -> FolderUserKeys:
        folder = EscrowFolder(self.copies, OPERATOR.public_key(), lambda: WHEN) if escrow else None
        return FolderUserKeys(self.files, keyring or self.keyring, at_once, self.audit, folder)

    def values(self, owner: UserId = ALICE, keys: FolderUserKeys | None = None) -> bytes:
        return self.do((keys or self.keys).subkey(owner, KeyPurpose.VALUES)).key.reveal()

    def content(self, owner: UserId = ALICE) -> bytes:
        content = self.files.read(holder_name(owner))
        assert content is not None
        return content

    def test_interface(self) -> None:
        """It is an `IUserKeys`."""
        self.assertTrue(verifyObject(IUserKeys, self.keys))

    def test_created_on_need(self) -> None:
        """A user has no key until one is made, and then has this one for good."""
        self.refused(self.keys.subkey(ALICE, KeyPurpose.VALUES), NoUserKey)
        self.do(self.keys.ensure(ALICE))
        before = self.values()
        self.do(self.keys.ensure(ALICE))
        self.assertEqual((self.values(), self.values(keys=self.store())), (before, before))

    def test_subkeys(self) -> None:
        """Users and purposes have different keys; each says the data key's version."""
        self.do(self.keys.ensure(ALICE))
        self.do(self.keys.ensure(BOB))
        found = [self.do(self.keys.subkey(owner, purpose)) for owner in (ALICE, BOB) for purpose in KeyPurpose]
        self.assertEqual({(key.version, len(key.key.reveal())) for key in found}, {(1, 32)})
        self.assertEqual(len({key.key.reveal() for key in found}), len(found))

    def test_nobodys_name(self) -> None:
        """The folder shows neither a user's name nor a key."""
        self.do(self.keys.ensure(ALICE))
        self.assertEqual(self.files.names(), (holder_name(ALICE),))
        self.assertNotIn(b"alice", self.content())
        self.assertEqual(len(self.content()), 6 + 34 + 32)

    def test_swapped_files(self) -> None:
        """A key that was copied to another user's name, or changed anywhere, does not open."""
        self.do(self.keys.ensure(ALICE))
        self.files.create(holder_name(BOB), self.content())
        self.refused(self.keys.subkey(BOB, KeyPurpose.VALUES), SealBroken)
        for place in range(len(self.content())):
            changed = bytearray(self.content())
            changed[place] ^= 1
            self.files.overwrite(holder_name(BOB), bytes(changed))
            self.refused(self.keys.subkey(BOB, KeyPurpose.VALUES), Exception)

    def test_no_master_key(self) -> None:
        """Without master keys nothing is opened or made."""
        self.do(self.keys.ensure(ALICE))
        keys = self.store(RefusingKeyring())
        self.refused(keys.subkey(ALICE, KeyPurpose.VALUES), KeysUnavailable)
        self.refused(keys.ensure(BOB), KeysUnavailable)
        self.refused(keys.destroy(ALICE), KeysUnavailable)
        self.assertEqual(self.files.names(), (holder_name(ALICE),))

    def test_recorded_before(self) -> None:
        """A key that cannot be recorded is neither made nor destroyed."""
        refusing = FolderUserKeys(self.files, self.keyring, at_once, RefusingSink())
        self.refused(refusing.ensure(ALICE), AuditUnavailable)
        self.assertEqual(self.files.names(), ())
        self.do(self.keys.ensure(ALICE))
        self.refused(refusing.destroy(ALICE), AuditUnavailable)
        self.assertEqual(self.files.names(), (holder_name(ALICE),))

    def test_records(self) -> None:
        """Making, destroying and restoring are recorded, with who asked."""
        self.do(self.keys.ensure(ALICE))
        self.do(self.keys.ensure(ALICE))
        self.do(self.keys.destroy(ALICE, by=BOB))
        self.do(self.keys.restore(ALICE, 1, Secret(bytes(32)), by=BOB))
        self.assertEqual(
            self.audit.events,
            [
                KeyChanged(key="user", change="created", user=ALICE, version=1),
                KeyChanged(who=BOB, key="user", change="destroyed", user=ALICE, version=1),
                KeyChanged(who=BOB, key="user", change="restored", user=ALICE, version=1),
            ],
        )

    def test_destroy(self) -> None:
        """A destroyed key is gone at once, a new one is another, and what is not there cannot be destroyed."""
        self.do(self.keys.ensure(ALICE))
        before = self.values()
        self.assertTrue(self.do(self.keys.destroy(ALICE)))
        self.refused(self.keys.subkey(ALICE, KeyPurpose.VALUES), NoUserKey)
        self.assertEqual(self.files.names(), ())
        self.assertFalse(self.do(self.keys.destroy(ALICE)))
        self.do(self.keys.ensure(ALICE))
        self.assertNotEqual(self.values(), before)

    def test_escrow(self) -> None:
        """The operator's private key brings a destroyed key back, and restoring it brings back what it sealed."""
        self.do(self.keys.ensure(ALICE))
        before = self.values()
        self.do(self.keys.destroy(ALICE))
        escrowed = open_escrow(self.copies.read(self.copies.names()[0]) or b"", OPERATOR)
        self.assertEqual((escrowed.owner, escrowed.version, escrowed.destroyed_at), (ALICE, 1, WHEN))
        self.assertEqual(subkey(escrowed.key, KeyPurpose.VALUES).reveal(), before)
        self.assertTrue(self.do(self.keys.restore(ALICE, escrowed.version, escrowed.key)))
        self.assertEqual(self.values(), before)

    def test_restore_spares(self) -> None:
        """Restoring does not take the place of a key that is there."""
        self.do(self.keys.ensure(ALICE))
        before = self.values()
        self.assertFalse(self.do(self.keys.restore(ALICE, 1, Secret(bytes(32)))))
        self.assertEqual(self.values(), before)

    def test_no_escrow(self) -> None:
        """Without the operator's key there is no copy, and no master key is needed to destroy."""
        self.do(self.keys.ensure(ALICE))
        self.assertTrue(self.do(self.store(RefusingKeyring(), escrow=False).destroy(ALICE)))
        self.assertEqual((self.files.names(), self.copies.names()), ((), ()))

    def test_destroy_broken(self) -> None:
        """A key that nobody could open any more can be destroyed, without a copy."""
        self.files.create(holder_name(ALICE), b"noise")
        self.assertTrue(self.do(self.keys.destroy(ALICE)))
        self.assertEqual((self.files.names(), self.copies.names()), ((), ()))

    def test_purge(self) -> None:
        """Escrow copies go when their time is over; without escrow there is nothing to do."""
        self.copies.create("0" * 64 + f"-{int(WHEN.timestamp()) - 7 * 86_400}", b"copy")
        self.assertEqual(self.do(self.store(escrow=False).purge_escrow()), 0)
        self.assertEqual(self.do(self.keys.purge_escrow()), 1)

    def test_rewrap(self) -> None:
        """After a rotation every key comes under the new version once, and opens to the same."""
        for owner in (ALICE, BOB):
            self.do(self.keys.ensure(owner))
        FolderChecks(self.files).write(1, b"")
        before = [self.values(ALICE), self.values(BOB)]
        self.assertEqual(self.do(self.keys.rewrap()), Rewrapped(0, 0))
        self.keyring.rotate()
        self.assertEqual(self.do(self.keys.rewrap()), Rewrapped(2, 0))
        self.assertEqual(self.keyring.wrapped_under(WrappedKey.decode(self.content()).wrapped), 2)
        self.assertEqual(self.do(self.keys.rewrap()), Rewrapped(0, 0))
        self.assertEqual([self.values(ALICE), self.values(BOB)], before)

    def test_versions(self) -> None:
        """It can be seen how many keys an older master key still holds, also without any master key."""
        self.do(self.keys.ensure(ALICE))
        self.keyring.rotate()
        self.do(self.keys.ensure(BOB))
        self.files.create("0" * 64, b"noise")
        FolderChecks(self.files).write(1, b"")
        for keys in (self.keys, self.store(RefusingKeyring())):
            self.assertEqual(self.do(keys.versions()), {1: 1, 2: 1, 0: 1})

    def test_rewrap_broken(self) -> None:
        """A key that does not open is left as it is, counted and logged, and does not keep the others."""
        self.do(self.keys.ensure(ALICE))
        self.files.create(holder_name(BOB), b"noise")
        self.keyring.rotate()
        self.assertEqual(self.do(self.keys.rewrap()), Rewrapped(1, 1))
        self.assertEqual(self.files.read(holder_name(BOB)), b"noise")

    def test_rewrap_without_keys(self) -> None:
        """Without master keys rewrapping stops."""
        self.do(self.keys.ensure(ALICE))
        self.refused(self.store(RefusingKeyring()).rewrap(), KeysUnavailable)

    def test_disk_fails(self) -> None:
        """A folder that cannot be used makes the keys unavailable, whatever the error."""
        self.patch(MemoryFiles, "read", lambda files, name: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        for work in (self.keys.subkey(ALICE, KeyPurpose.VALUES), self.keys.ensure(ALICE), self.keys.destroy(ALICE)):
            self.refused(work, KeysUnavailable)

    def test_failed_write_is_cleaned(self) -> None:
        """A write that failed half way is repeated without the remains of the first."""
        self.files.create(f".new-{holder_name(ALICE)}", b"half")
        self.do(self.keys.ensure(ALICE))
        self.assertEqual(self.files.names(), (holder_name(ALICE),))

    def test_start_recovers(self) -> None:
        """What a crash left half done is finished at the start, in both folders."""
        for files in (self.files, self.copies):
            files.create(".new-" + "0" * 64, b"half")
            files.create(".dying-" + "0" * 64, b"gone")
            files.create("1" * 64, b"kept")
        self.keys.start()
        self.assertEqual((self.files.names(), self.copies.names()), (("1" * 64,), ("1" * 64,)))


class RacingThreads:
    """Holds each piece of work until the test lets it go."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], object]) -> Deferred[object]:
        done: Deferred[object] = Deferred()
        self.waiting.append(lambda: done.callback(work()))
        return done

    def go(self, number: int = 0) -> None:
        self.waiting.pop(number)()


class RaceTests(contract.Case):
    """Two at the same time."""

    def setUp(self) -> None:
        self.files, self.threads = MemoryFiles(), RacingThreads()
        self.keys = FolderUserKeys(self.files, MemoryKeyring(), self.threads, MemorySink())  # type: ignore[arg-type]  # one type for all
        self.direct = FolderUserKeys(self.files, self.keys._keyring, at_once, MemorySink())

    def test_made_twice(self) -> None:
        """Of two that make a user's key at once, one is kept and both go on with it."""
        first, second = (Deferred.fromCoroutine(self.keys.ensure(ALICE)) for _ in range(2))
        self.threads.go()
        self.threads.go()
        self.threads.go()
        content = self.files.read(holder_name(ALICE))
        self.threads.go()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.files.read(holder_name(ALICE)), content)

    def test_rewrapped_meanwhile(self) -> None:
        """A key that was rewrapped while it was being destroyed is destroyed all the same."""
        self.do(self.direct.ensure(ALICE))
        destroyed = Deferred.fromCoroutine(self.keys.destroy(ALICE))
        self.threads.go()
        self.keys._keyring.rotate()  # type: ignore[attr-defined]  # a MemoryKeyring
        self.do(self.direct.rewrap())
        while self.threads.waiting:
            self.threads.go()
        self.assertTrue(self.successResultOf(destroyed))
        self.assertEqual(self.files.names(), ())

    def test_destroyed_twice(self) -> None:
        """Of two that destroy a user's key at once, one did it and the other found nothing."""
        self.do(self.direct.ensure(ALICE))
        first, second = (Deferred.fromCoroutine(self.keys.destroy(ALICE)) for _ in range(2))
        while self.threads.waiting:
            self.threads.go()
        self.assertEqual([self.successResultOf(first), self.successResultOf(second)], [True, False])

    def test_destroyed_meanwhile(self) -> None:
        """A key that was destroyed while it was being rewrapped stays destroyed."""
        self.do(self.direct.ensure(ALICE))
        self.keys._keyring.rotate()  # type: ignore[attr-defined]  # a MemoryKeyring
        rewrapped = Deferred.fromCoroutine(self.keys.rewrap())
        self.threads.go()
        self.threads.go()
        self.do(self.direct.destroy(ALICE))
        self.threads.go()
        self.assertEqual(self.successResultOf(rewrapped), Rewrapped(0, 0))
        self.assertEqual(self.files.names(), ())


class PowerCutTests(contract.Case):
    """A loss of power after each step, with every state that the disk may then be in."""

    def setUp(self) -> None:
        self.keyring = MemoryKeyring()
        self.disk = Disk()
        self.keys = self.store(self.disk.folder("users"), self.disk.folder("escrow"))

    def store(self, users: Files, copies: Files) -> FolderUserKeys:
        escrow = EscrowFolder(copies, OPERATOR.public_key(), lambda: WHEN)
        return FolderUserKeys(users, self.keyring, at_once, MemorySink(), escrow)

    def revived(self, state: State) -> tuple[MemoryFiles, MemoryFiles, FolderUserKeys]:
        """The store as it comes up on what the cut left."""
        users, copies = MemoryFiles(dict(state["users"])), MemoryFiles(dict(state["escrow"]))
        keys = self.store(users, copies)
        keys.start()
        self.assertEqual([name for name in users.names() + copies.names() if name.startswith(".")], [])
        return users, copies, keys

    def values(self, keys: FolderUserKeys) -> bytes | None:
        try:
            return self.do(keys.subkey(ALICE, KeyPurpose.VALUES)).key.reveal()
        except self.failureException:
            self.refused(keys.subkey(ALICE, KeyPurpose.VALUES), NoUserKey)
            return None

    def cuts(self) -> Iterator[State]:
        self.assertGreater(len(self.disk.cuts), 3)
        for cut in self.disk.cuts:
            yield from cut

    def test_ensure(self) -> None:
        """Making a key leaves none or the whole one; once it returned, the key stays."""
        self.do(self.keys.ensure(ALICE))
        made = self.values(self.keys)
        found = {self.values(self.revived(state)[2]) for state in self.cuts()}
        self.assertEqual(found, {None, made})
        self.assertEqual({self.values(self.revived(state)[2]) for state in self.disk.after_crash()}, {made})

    def test_rewrap(self) -> None:
        """Rewrapping leaves the old wrapping or the new one; the key itself is there throughout."""
        self.do(self.keys.ensure(ALICE))
        made = self.values(self.keys)
        self.disk.settle()
        self.keyring.rotate()
        self.do(self.keys.rewrap())
        self.assertEqual({self.values(self.revived(state)[2]) for state in self.cuts()}, {made})
        for state in self.disk.after_crash():
            content = self.revived(state)[0].read(holder_name(ALICE)) or b""
            self.assertEqual(self.keyring.wrapped_under(WrappedKey.decode(content).wrapped), 2)

    def test_destroy(self) -> None:
        """Destroying leaves the key, or its escrow copy and nothing of it; once it returned, the key is gone."""
        self.do(self.keys.ensure(ALICE))
        made = self.values(self.keys)
        content = self.disk.folder("users").read(holder_name(ALICE)) or b""
        self.disk.settle()
        self.do(self.keys.destroy(ALICE))
        found = set()
        for state in self.cuts():
            users, copies, keys = self.revived(state)
            found.add(value := self.values(keys))
            if value is None:
                self.assertEqual((users.names(), len(copies.names())), ((), 1))
                self.assertEqual(open_escrow(copies.read(copies.names()[0]) or b"", OPERATOR).owner, ALICE)
        self.assertEqual(found, {None, made})
        for state in self.disk.after_crash():
            self.assertNotIn(content[-48:], b"".join(state["users"].values()))
            self.assertIs(self.values(self.revived(state)[2]), None)


class KilledFolder(PrivateFolder):
    """A folder whose process is killed before one of its steps."""

    steps_left = -1

    def create(self, name: str, content: bytes) -> None:
        self._step()
        super().create(name, content)

    def overwrite(self, name: str, content: bytes) -> None:
        self._step()
        super().overwrite(name, content)

    def sync(self, name: str) -> None:
        self._step()
        super().sync(name)

    def rename(self, old: str, new: str) -> None:
        self._step()
        super().rename(old, new)

    def unlink(self, name: str) -> None:
        self._step()
        super().unlink(name)

    def sync_names(self) -> None:
        self._step()
        super().sync_names()

    def _step(self) -> None:
        type(self).steps_left -= 1
        if type(self).steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class KillTests(contract.Case):
    """`kill -9` before each step, on a real folder."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir(mode=0o700)
        self.keyring = MemoryKeyring()

    @contextmanager
    def store(self, kind: type[PrivateFolder] = PrivateFolder) -> Iterator[FolderUserKeys]:
        users, copies = kind(self.path / "users"), kind(self.path / "escrow")
        try:
            users.open()
            copies.open()
            escrow = EscrowFolder(copies, OPERATOR.public_key(), lambda: WHEN)
            yield FolderUserKeys(users, self.keyring, at_once, MemorySink(), escrow)
        finally:
            users.close()
            copies.close()

    def killed_at(self, step: int, work: Callable[[FolderUserKeys], object]) -> bool:
        """Do the work in a process that is killed before a step; whether there was such a step."""
        child = os.fork()
        if child == 0:
            try:
                KilledFolder.steps_left = step
                with self.store(KilledFolder) as keys:
                    work(keys)
            finally:
                os._exit(0)
        status = os.waitpid(child, 0)[1]
        return os.WIFSIGNALED(status)

    def values(self) -> bytes | None:
        with self.store() as keys:
            keys.start()
            try:
                return self.do(keys.subkey(ALICE, KeyPurpose.VALUES)).key.reveal()
            except self.failureException:
                self.refused(keys.subkey(ALICE, KeyPurpose.VALUES), NoUserKey)
                return None

    def test_ensure(self) -> None:
        """A key is there or not, and can be made after any kill."""
        step = 1
        while self.killed_at(step, lambda keys: self.do(keys.ensure(ALICE))):
            self.values()
            with self.store() as keys:
                self.do(keys.ensure(ALICE))
                self.do(keys.destroy(ALICE))
            step += 1
        self.assertEqual(step, 5)

    def test_rewrap(self) -> None:
        """The key outlives any kill, and the rewrapping can be finished."""
        with self.store() as keys:
            self.do(keys.ensure(ALICE))
        made, step = self.values(), 1
        self.keyring.rotate()
        while self.killed_at(step, lambda keys: self.do(keys.rewrap())):
            self.assertEqual(self.values(), made)
            with self.store() as keys:
                self.do(keys.rewrap())
            self.keyring.rotate()
            step += 1
        self.assertEqual(step, 5)
        self.assertEqual(self.values(), made)

    def test_destroy(self) -> None:
        """The key is there, or it is gone and its copy is there; nothing half is left."""
        step, gone = 1, set()
        while True:
            with self.store() as keys:
                self.do(keys.ensure(ALICE))
            made = self.values()
            if not self.killed_at(step, lambda keys: self.do(keys.destroy(ALICE))):
                break
            left = self.values()
            gone.add(left is None)
            self.assertIn(left, (made, None))
            if left is None:
                self.assertEqual(len([name for name in os.listdir(self.path / "escrow") if name != ".lock"]), 1)
                self.assertEqual(os.listdir(self.path / "users"), [".lock"])
            step += 1
        self.assertEqual((step, gone), (11, {True, False}))

    def test_modes(self) -> None:
        """Every file of the store is for its owner alone."""
        with self.store() as keys:
            self.do(keys.ensure(ALICE))
            self.do(keys.ensure(BOB))
            self.do(keys.destroy(BOB))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in self.path.rglob("*") if path.is_file()}
        self.assertEqual(modes, {0o600})
