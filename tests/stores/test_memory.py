"""
The stores in memory keep the contracts.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.stores.providers import Stores, memory_stores
from tests.stores.contract_handoffs import HandoffStoreContract
from tests.stores.contract_revocations import RevocationLogContract
from tests.stores.contract_sandboxes import SandboxStoreContract
from tests.stores.contract_sessions import SessionStoreContract
from tests.stores.contract_tickets import TicketStoreContract
from tests.stores.contract_users import UserStoreContract


class InMemory:
    """Stores in memory."""

    def build(self) -> Stores:
        """Empty stores that share their tables."""
        return memory_stores()


class MemoryUsersTests(InMemory, UserStoreContract, SynchronousTestCase):
    """Users in memory."""


class MemorySessionsTests(InMemory, SessionStoreContract, SynchronousTestCase):
    """Sessions in memory."""


class MemoryHandoffsTests(InMemory, HandoffStoreContract, SynchronousTestCase):
    """One-time codes in memory."""


class MemoryTicketsTests(InMemory, TicketStoreContract, SynchronousTestCase):
    """Tickets in memory."""


class MemorySandboxesTests(InMemory, SandboxStoreContract, SynchronousTestCase):
    """Sandboxes in memory."""


class MemoryRevocationsTests(InMemory, RevocationLogContract, SynchronousTestCase):
    """Revocations in memory."""
