"""The stores of sealed credentials keep their contract."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.interfaces import ICredentialStore
from coral_gate.stores.memory_credentials import MemoryCredentialStore
from coral_gate.stores.sql_credentials import SQLCredentialStore
from coral_gate.stores.sqlite import open_beside
from tests.stores.contract import NOW
from tests.stores.contract_credentials import CredentialStoreContract


class MemoryTests(CredentialStoreContract, SynchronousTestCase):
    """In memory."""

    def build_credentials(self) -> ICredentialStore:
        return MemoryCredentialStore()


class SQLiteTests(CredentialStoreContract, SynchronousTestCase):
    """In SQLite."""

    def build_credentials(self) -> ICredentialStore:
        database = open_beside(Path(self.mktemp()), NOW)
        self.addCleanup(database.close)
        return SQLCredentialStore(database)
