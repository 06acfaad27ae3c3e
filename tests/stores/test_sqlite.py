"""
The stores in SQLite keep the contracts.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.stores.providers import Stores, database_stores
from coral_gate.stores.sqlite import SQLiteDatabase, open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import NOW, Base
from tests.stores.contract_handoffs import HandoffStoreContract
from tests.stores.contract_revocations import RevocationLogContract
from tests.stores.contract_sandboxes import SandboxStoreContract
from tests.stores.contract_sessions import SessionStoreContract
from tests.stores.contract_tickets import TicketStoreContract
from tests.stores.contract_users import UserStoreContract


def opened(case: SynchronousTestCase) -> SQLiteDatabase:
    """A new database, closed when the test ends."""
    database = open_for_daemon(Path(case.mktemp()), at_once, at_once, NOW)
    case.addCleanup(database.close)
    return database


class InSQLite(Base):
    """Stores in SQLite."""

    def build(self) -> Stores:
        """Empty stores that share their tables."""
        return database_stores(opened(self))


class SQLiteUsersTests(InSQLite, UserStoreContract, SynchronousTestCase):
    """Users in SQLite."""


class SQLiteSessionsTests(InSQLite, SessionStoreContract, SynchronousTestCase):
    """Sessions in SQLite."""


class SQLiteHandoffsTests(InSQLite, HandoffStoreContract, SynchronousTestCase):
    """One-time codes in SQLite."""


class SQLiteTicketsTests(InSQLite, TicketStoreContract, SynchronousTestCase):
    """Tickets in a database."""


class SQLiteSandboxesTests(InSQLite, SandboxStoreContract, SynchronousTestCase):
    """Sandboxes in SQLite."""


class SQLiteRevocationsTests(InSQLite, RevocationLogContract, SynchronousTestCase):
    """Revocations in SQLite."""
