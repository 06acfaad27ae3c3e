"""Keyrings."""

from __future__ import annotations

import os
from pathlib import Path

from zope.interface.verify import verifyObject

from coral_gate.config.secret_sources import SecretSource
from coral_gate.custody.budget import KeyWornOut, SealBudget
from coral_gate.custody.checkvalues import FolderChecks
from coral_gate.custody.keyring import HeldVersions, MemoryKeyring, RefusingKeyring
from coral_gate.custody.masterkeys import MasterKeys, show_master_keys
from coral_gate.custody.memory_files import MemoryFiles
from coral_gate.custody.sourcekeyring import SourceKeyring
from coral_gate.custody.threads import at_once
from coral_gate.errors import ConfigError, KeysUnavailable, Problem
from coral_gate.interfaces import IKeyring
from coral_gate.model import KeyCondition, KeyState, Secret
from tests.custody import contract

KEYS = {version: Secret(os.urandom(32)) for version in range(1, 5)}
OTHERS = {version: Secret(os.urandom(32)) for version in range(1, 5)}


class Source:
    """An operator's source, which a test changes."""

    def __init__(self, *versions: int) -> None:
        self.gives: Secret | Exception = Secret(b"")
        self.hold(*versions)

    def hold(self, *versions: int, keys: dict[int, Secret] = KEYS) -> None:
        """Hold these versions, the first of them current."""
        self.gives = show_master_keys(MasterKeys(versions[0], {version: keys[version] for version in versions}))

    def read(self) -> Secret:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


def keyring_on(source: Source, files: MemoryFiles) -> SourceKeyring:
    return SourceKeyring("file:/etc/master", source.read, FolderChecks(files), at_once)


class MemoryKeyringTests(contract.KeyringContract):
    """Keys in memory."""

    def make(self) -> IKeyring:
        self.memory = MemoryKeyring()
        return self.memory

    def rotate(self) -> None:
        self.memory.rotate()


class SourceKeyringTests(contract.KeyringContract):
    """Keys from an operator's source, in any of its states."""

    def make(self) -> IKeyring:
        self.source, self.files = Source(1), MemoryFiles()
        self.held = keyring_on(self.source, self.files)
        self.held.start()
        return self.held

    def rotate(self) -> None:
        self.source.hold(2, 1)
        self.do(self.held.reload())

    def assertUnusable(self, keyring: IKeyring, condition: KeyCondition, why: str) -> None:
        """It refuses everything, and says why in words without keys."""
        state = keyring.state()
        self.assertEqual((state.condition, state.ready), (condition, False))
        self.assertIn(why, state.why)
        for keys in (KEYS, OTHERS):
            for key in keys.values():
                self.assertNotIn(key.reveal().hex(), state.why)
        self.assertRaises(KeysUnavailable, keyring.current)
        self.refused(keyring.wrap(Secret(contract.KEY), "alice", 1), KeysUnavailable)
        self.refused(keyring.unwrap(b"anything", "alice", 1), KeysUnavailable)

    def test_before_start(self) -> None:
        """Before it has read its source, a keyring refuses everything."""
        self.assertUnusable(keyring_on(Source(1), MemoryFiles()), KeyCondition.MISSING, "No master key has been read")

    def test_missing_at_start(self) -> None:
        """A source that is not there, or holds no key, ends the start with a problem of the configuration."""
        reasons: dict[str, Secret | Exception] = {
            "No such file or directory.": FileNotFoundError(2, "No such file or directory"),
            "It is empty.": Secret(b"\n"),
            "Line 1 holds no key": Secret(b"planted-secret"),
            "It could not be read.": ValueError("planted-secret"),
        }
        for why, gives in reasons.items():
            self.source.gives = gives
            problem = self.assertRaises(ConfigError, keyring_on(self.source, self.files).start).problems[0]
            self.assertEqual(problem.where, "file:/etc/master")
            self.assertIn(why, problem.what)
            self.assertNotIn("planted", str(problem))

    def test_problem_of_the_configuration(self) -> None:
        """What the configuration itself finds wrong with a source is passed on at the start, and is the reason later."""
        self.source.gives = error = ConfigError((Problem("gate.toml:3", "keys.master", "The secret cannot be used: it is empty."),))
        self.assertIs(self.assertRaises(ConfigError, keyring_on(self.source, self.files).start), error)
        self.do(self.held.reload())
        self.assertUnusable(self.held, KeyCondition.LOST, "it is empty.")

    def test_same_again(self) -> None:
        """A keyring that starts again with the same key is ready, and opens what it wrapped before."""
        wrapped = self.wrap()
        again = keyring_on(self.source, self.files)
        again.start()
        self.assertEqual(self.do(again.unwrap(wrapped, "alice", 1)).reveal(), contract.KEY)

    def test_wrong_at_start(self) -> None:
        """Another key under a version that is in use keeps the daemon up, refuses everything, and says so."""
        self.source.hold(1, keys=OTHERS)
        again = keyring_on(self.source, self.files)
        again.start()
        self.assertUnusable(again, KeyCondition.WRONG, "another master key than the one used here before, version 1")

    def test_wrong_among_right(self) -> None:
        """One wrong version is enough to refuse them all."""
        self.rotate()
        self.source.gives = show_master_keys(MasterKeys(2, {1: OTHERS[1], 2: KEYS[2]}))
        self.do(self.held.reload())
        self.assertUnusable(self.held, KeyCondition.WRONG, "version 1.")

    def test_wrong_leaves_no_trace(self) -> None:
        """A wrong source does not get check values for its other versions."""
        self.source.gives = show_master_keys(MasterKeys(3, {1: OTHERS[1], 3: OTHERS[3]}))
        self.do(self.held.reload())
        self.assertEqual(self.files.names(), ("master-1.check",))

    def test_none_known(self) -> None:
        """A source without any version that is in use is not taken for a first one."""
        self.source.hold(3, 4)
        self.do(self.held.reload())
        self.assertUnusable(self.held, KeyCondition.WRONG, "none of the master key versions in use here: 1.")

    def test_broken_check(self) -> None:
        """A check value that was changed, or cannot be read, does not let a key through."""
        self.files.overwrite("master-1.check", b"\0")
        self.do(self.held.reload())
        self.assertUnusable(self.held, KeyCondition.WRONG, "version 1")
        self.patch(MemoryFiles, "names", lambda files: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        self.do(self.held.reload())
        self.assertUnusable(self.held, KeyCondition.WRONG, "cannot be checked. Permission denied.")

    def test_lost_and_found(self) -> None:
        """A source that is gone takes the keys out of use; when it is back, so are they."""
        wrapped = self.wrap()
        self.source.gives = FileNotFoundError(2, "No such file or directory")
        self.assertEqual(self.do(self.held.reload()).condition, KeyCondition.LOST)
        self.assertUnusable(self.held, KeyCondition.LOST, "No such file or directory.")
        self.source.hold(1)
        self.assertTrue(self.do(self.held.reload()).ready)
        self.assertEqual(self.do(self.held.unwrap(wrapped, "alice", 1)).reveal(), contract.KEY)

    def test_retired_version(self) -> None:
        """What was wrapped under a version that is gone cannot be opened; the keyring itself stays ready."""
        wrapped = self.wrap()
        self.rotate()
        self.source.hold(2)
        self.assertTrue(self.do(self.held.reload()).ready)
        self.refused(self.held.unwrap(wrapped, "alice", 1), KeysUnavailable)

    def test_reads_a_reference(self) -> None:
        """What the configuration calls a secret's source can be read as it is."""
        path = Path(self.mktemp())
        path.write_bytes(KEYS[1].reveal().hex().encode())
        path.chmod(0o600)
        reference = SecretSource("file", str(path.absolute()), Path("/"), "gate.toml:3", "keys.master")
        keyring = SourceKeyring(reference.label, reference.read, FolderChecks(self.files), at_once)
        keyring.start()
        self.assertTrue(keyring.state().ready)

    def test_nothing_shown(self) -> None:
        """Neither a keyring nor what it holds shows a key."""
        shown = repr(self.held) + repr(vars(self.held))
        for form in (KEYS[1].reveal().hex(), repr(KEYS[1].reveal())):
            self.assertNotIn(form, shown)


class BudgetTests(contract.Case):
    """How often a master key wraps."""

    def test_worn_out(self) -> None:
        """A version that wrapped as often as it may refuses, also after its source was read again; a new one goes on."""
        keyring = MemoryKeyring()
        first = MasterKeys(1, {1: KEYS[1]})
        keyring.use(HeldVersions(first, os.urandom, {1: SealBudget(1)}))
        wrapped = self.do(keyring.wrap(Secret(contract.KEY), "alice", 1))
        self.refused(keyring.wrap(Secret(contract.KEY), "alice", 1), KeyWornOut)
        self.assertEqual(self.do(keyring.unwrap(wrapped, "alice", 1)).reveal(), contract.KEY)

    def test_kept_over_reload(self) -> None:
        """Reading the same keys again does not start the count again."""
        held = HeldVersions(MasterKeys(1, {1: KEYS[1]}), os.urandom, {1: SealBudget(0)})
        after = held.succeeded_by(MasterKeys(2, {1: KEYS[1], 2: KEYS[2]}))
        keyring = MemoryKeyring()
        keyring.use(after)
        self.do(keyring.wrap(Secret(contract.KEY), "alice", 1))
        keyring.use(after.succeeded_by(MasterKeys(1, {1: KEYS[1]})))
        self.refused(keyring.wrap(Secret(contract.KEY), "alice", 1), KeyWornOut)


class RefusingKeyringTests(contract.Case):
    """The keyring for tests of everything that goes wrong."""

    def test_refuses(self) -> None:
        """It refuses everything in whatever state it was given."""
        for condition in (KeyCondition.MISSING, KeyCondition.WRONG, KeyCondition.LOST):
            keyring = RefusingKeyring(KeyState(condition, "Gone."))
            self.assertTrue(verifyObject(IKeyring, keyring))
            self.assertEqual((keyring.state().ready, keyring.state().why), (False, "Gone."))
            self.assertRaises(KeysUnavailable, keyring.current)
            self.refused(keyring.wrap(Secret(contract.KEY), "alice", 1), KeysUnavailable)
            self.refused(keyring.unwrap(b"", "alice", 1), KeysUnavailable)

    def test_never_ready(self) -> None:
        """A refusing keyring cannot be told that it is ready."""
        self.assertRaises(ValueError, RefusingKeyring, KeyState(KeyCondition.OK, ""))
