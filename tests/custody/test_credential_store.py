"""The stores of sealed credentials keep their contract."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.stores.providers import Stores, database_stores, memory_stores
from coral_gate.stores.sqlite import open_beside
from tests.stores.contract import NOW
from tests.stores.contract_credentials import CredentialStoreContract


class MemoryTests(CredentialStoreContract, SynchronousTestCase):
    """In memory."""

    def build(self) -> Stores:
        return memory_stores()


class SQLiteTests(CredentialStoreContract, SynchronousTestCase):
    """In SQLite."""

    def build(self) -> Stores:
        database = open_beside(Path(self.mktemp()), NOW)
        self.addCleanup(database.close)
        return database_stores(database)
