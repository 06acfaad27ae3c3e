"""Secrets that were planted are nowhere to be seen."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import traceback
from datetime import UTC, datetime
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, eventAsText, globalLogPublisher, jsonFileLogObserver
from twisted.python.failure import Failure

from coral_gate.audit.sinks import MemorySink
from coral_gate.custody.credentials import CredentialVault, UnfitCredential
from coral_gate.custody.envelope import Binding, open_sealed, seal
from coral_gate.custody.escrow import EscrowedKey
from coral_gate.custody.keyring import MemoryKeyring
from coral_gate.custody.leaks import LeakScan
from coral_gate.custody.masterkeys import MasterKeys, parse_master_keys
from coral_gate.custody.memory_credentials import MemoryCredentials
from coral_gate.custody.memory_files import MemoryFiles
from coral_gate.custody.opened import OpenedSecrets
from coral_gate.custody.threads import at_once
from coral_gate.custody.userkeys import FolderUserKeys
from coral_gate.errors import SealBroken
from coral_gate.model import SandboxId, Secret, ServiceName, UserId, UserKey
from coral_gate.stores.memory_credentials import MemoryCredentialStore
from tests.custody import contract

ALICE = UserId("https://id.example", "alice")
A = SandboxId("a" * 26)
APP = ServiceName.APP
PLANTED = b"planted0planted1planted2planted3"
SECRET = Secret(PLANTED)


class PlantedTests(contract.Case):
    """Wherever something might be shown."""

    def setUp(self) -> None:
        self.entropy = lambda length: (PLANTED * 4)[:length]
        self.keyring, self.files, self.store, self.audit = MemoryKeyring(self.entropy), MemoryFiles(), MemoryCredentialStore(), MemorySink()
        self.keys = FolderUserKeys(self.files, self.keyring, at_once, self.audit, entropy=self.entropy)
        opened = OpenedSecrets(Clock())
        self.vault = CredentialVault(self.store, self.keys, self.keyring, self.audit, opened, lambda: datetime.now(UTC))
        self.do(self.vault.set(ALICE, A, APP, SECRET))
        self.do(self.vault.open(ALICE, A, APP))
        self.scan = LeakScan([SECRET])

    def assertClean(self, *shown: object) -> None:
        """None of this holds what was planted, in any form."""
        for text in shown:
            self.assertFalse(LeakScan([SECRET]).feed(text if isinstance(text, bytes) else str(text).encode()), text)

    def everything(self) -> list[object]:
        memory = MemoryCredentials()
        memory.put(ALICE, A, APP, SECRET)
        return [
            SECRET,
            UserKey(1, SECRET),
            MasterKeys(1, {1: SECRET}),
            EscrowedKey(ALICE, 1, SECRET, datetime.now(UTC)),
            self.keyring,
            self.files,
            self.keys,
            self.store,
            self.vault,
            self.vault._opened,
            *self.vault._opened._kept.values(),
            LeakScan([SECRET]),
            memory,
        ]

    def test_the_check_itself(self) -> None:
        """What is planted would be seen."""
        for shown in (PLANTED, repr(PLANTED), [PLANTED], PLANTED.hex()):
            self.assertRaises(self.failureException, self.assertClean, shown)

    def test_shown(self) -> None:
        """Nothing that holds a secret shows it as text, in a format string, or with its attributes."""
        for each in self.everything():
            self.assertClean(repr(each), str(each), f"{each}", f"{each!r:>10}", [each], getattr(each, "__dict__", None))

    def test_not_pickled(self) -> None:
        """Nothing that holds a secret can be pickled or copied deeply with it."""
        for each in self.everything():
            for act in (pickle.dumps, copy.deepcopy):
                try:
                    result = act(each)
                except Exception as error:
                    self.assertClean(error)
                else:
                    self.assertClean(result)

    def test_not_json(self) -> None:
        """A secret cannot be written as JSON."""
        error = self.assertRaises(TypeError, json.dumps, SECRET)
        self.assertClean(error)

    def test_compared(self) -> None:
        """A secret cannot be compared or used as a key."""
        self.assertRaises(TypeError, lambda: Secret(PLANTED) == SECRET)
        self.assertRaises(TypeError, hash, SECRET)

    def test_stored(self) -> None:
        """Neither the rows nor the folder nor the audit log holds it."""
        self.assertClean(self.store._rows[A, APP].sealed, *self.audit.lines)
        for name in self.files.names():
            # The nonce is of the planted entropy as well, and shorter than what is looked for.
            self.assertClean(name, self.files.read(name) or b"")

    def failures(self) -> list[Failure]:
        """Everything that goes wrong with a secret in its hands."""
        place = Binding("t", "r", "c", None, 0)
        made = []
        for act in (
            lambda: seal(SECRET, 0, SECRET, place, bytes(12)),
            lambda: seal(SECRET, 1, Secret(PLANTED * 3000), place, bytes(12)),
            lambda: seal(SECRET, 1, SECRET, place, b""),
            lambda: open_sealed(SECRET, 1, seal(SECRET, 1, SECRET, place, bytes(12)), Binding("t", "r", "c", None, 1)),
            lambda: parse_master_keys(Secret(PLANTED + b"\n")),
            lambda: LeakScan([Secret(PLANTED[:4])]),
        ):
            try:
                act()
            except Exception:
                made.append(Failure())
        made.append(self.failureResultOf(self.setting(Secret(PLANTED[:4])), UnfitCredential))
        sealed = self.store._rows[A, APP]
        self.store._rows[A, APP] = sealed.__class__(A, APP, ALICE, 2, sealed.sealed, sealed.changed_at)
        self.vault.drop_all()
        made.append(self.failureResultOf(self.opening(), SealBroken))
        self.assertEqual(len(made), 8)
        return made

    def setting(self, value: Secret) -> Deferred[Any]:  # Any: it fails
        return Deferred.fromCoroutine(self.vault.set(ALICE, A, APP, value))

    def opening(self) -> Deferred[Any]:  # Any: it fails
        return Deferred.fromCoroutine(self.vault.open(ALICE, A, APP))

    def test_tracebacks(self) -> None:
        """No traceback holds it: not the usual one, not one with the variables of every frame, not Twisted's most detailed."""
        for failure in self.failures():
            error = failure.value
            assert error is not None
            self.assertClean(str(error), repr(error), *map(repr, error.args))
            self.assertClean("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
            self.assertClean(failure.getTraceback(), failure.getTraceback(detail="verbose"))

    def test_logged(self) -> None:
        """No log holds it, whether the failure or the thing itself is logged."""
        events: list[LogEvent] = []
        stream = io.StringIO()
        observers: list[ILogObserver] = [cast(ILogObserver, events.append), jsonFileLogObserver(stream)]
        for observer in observers:
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)
        log = Logger()
        for failure in self.failures():
            log.failure("it failed", failure)
        for each in self.everything():
            log.info("here is {each} {each!r}", each=each)
        self.assertClean(stream.getvalue(), *map(eventAsText, events))
        self.assertGreater(len(events), 15)
        self.flushLoggedErrors()

    def test_environment(self) -> None:
        """Nothing was put into the environment, which every child would see."""
        self.assertClean(*os.environ.values())
