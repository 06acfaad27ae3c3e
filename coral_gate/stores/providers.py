"""
All stores of one place together.
"""

from __future__ import annotations

from attrs import field, frozen

from coral_gate.interfaces import ICredentialStore, IHandoffStore, IRevocationLog, ISandboxStore, ISessionStore, ITicketStore, IUserStore
from coral_gate.stores.memory import MemoryTables
from coral_gate.stores.memory_credentials import MemoryCredentialStore
from coral_gate.stores.memory_handoffs import MemoryHandoffStore
from coral_gate.stores.memory_revocations import MemoryRevocationLog
from coral_gate.stores.memory_sandboxes import MemorySandboxStore
from coral_gate.stores.memory_sessions import MemorySessionStore
from coral_gate.stores.memory_tickets import MemoryTicketStore
from coral_gate.stores.memory_users import MemoryUserStore
from coral_gate.stores.sql import Database
from coral_gate.stores.sql_credentials import SQLCredentialStore
from coral_gate.stores.sql_handoffs import SQLHandoffStore
from coral_gate.stores.sql_revocations import SQLRevocationLog
from coral_gate.stores.sql_sandboxes import SQLSandboxStore
from coral_gate.stores.sql_sessions import SQLSessionStore
from coral_gate.stores.sql_tickets import SQLTicketStore
from coral_gate.stores.sql_users import SQLUserStore


@frozen
class Stores:
    """Stores that share their tables: what one changes the others see."""

    users: IUserStore = field()
    sessions: ISessionStore = field()
    handoffs: IHandoffStore = field()
    tickets: ITicketStore = field()
    sandboxes: ISandboxStore = field()
    revocations: IRevocationLog = field()
    credentials: ICredentialStore = field()


def memory_stores() -> Stores:
    """Stores in memory, empty."""
    tables = MemoryTables()
    return Stores(
        users=MemoryUserStore(tables),
        sessions=MemorySessionStore(tables),
        handoffs=MemoryHandoffStore(tables),
        tickets=MemoryTicketStore(tables),
        sandboxes=MemorySandboxStore(tables),
        revocations=MemoryRevocationLog(tables),
        credentials=MemoryCredentialStore(tables),
    )


def database_stores(database: Database) -> Stores:
    """Stores in a database that is open."""
    return Stores(
        users=SQLUserStore(database),
        sessions=SQLSessionStore(database),
        handoffs=SQLHandoffStore(database),
        tickets=SQLTicketStore(database),
        sandboxes=SQLSandboxStore(database),
        revocations=SQLRevocationLog(database),
        credentials=SQLCredentialStore(database),
    )
