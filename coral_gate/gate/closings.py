"""
Why nobody may use a sandbox now: it is destroyed or locked.
"""

from __future__ import annotations

from typing import Final

from coral_gate.interfaces import ISandboxStore
from coral_gate.model import CloseCode, SandboxId
from coral_gate.records import AsGate, Capacity
from coral_gate.visitor import Closing

GONE: Final = Closing(CloseCode.SANDBOX_GONE, "This sandbox is no more.")
"""A sandbox is destroyed."""

_GATE: Final = AsGate(Capacity.SANDBOXES)


def locked(why: str) -> Closing:
    """
    A sandbox is locked.

    :param why: in words for its owner.
    """
    return Closing(CloseCode.FORBIDDEN, why)


async def closing_of(sandboxes: ISandboxStore, sandbox: SandboxId) -> Closing | None:
    """
    Why nobody may use a sandbox, by its row; None where it may be used, or has no row.

    :raises Unavailable: the store cannot say.
    """
    row = await sandboxes.find(_GATE, sandbox)
    if row is None:
        return None
    if row.destroyed_at is not None:
        return GONE
    return None if row.locked is None else locked(row.locked)
