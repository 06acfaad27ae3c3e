"""
All stores of one place together.
"""

from __future__ import annotations

from attrs import field, frozen

from coral_gate.interfaces import IHandoffStore, IRevocationLog, ISandboxStore, ISessionStore, IUserStore
from coral_gate.stores.memory import MemoryTables
from coral_gate.stores.memory_handoffs import MemoryHandoffStore
from coral_gate.stores.memory_revocations import MemoryRevocationLog
from coral_gate.stores.memory_sandboxes import MemorySandboxStore
from coral_gate.stores.memory_sessions import MemorySessionStore
from coral_gate.stores.memory_users import MemoryUserStore


@frozen
class Stores:
    """Stores that share their tables: what one changes the others see."""

    users: IUserStore = field()
    sessions: ISessionStore = field()
    handoffs: IHandoffStore = field()
    sandboxes: ISandboxStore = field()
    revocations: IRevocationLog = field()


def memory_stores() -> Stores:
    """Stores in memory, empty."""
    tables = MemoryTables()
    return Stores(
        users=MemoryUserStore(tables),
        sessions=MemorySessionStore(tables),
        handoffs=MemoryHandoffStore(tables),
        sandboxes=MemorySandboxStore(tables),
        revocations=MemoryRevocationLog(tables),
    )
