"""
What an error of SQLite is to us.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from coral_gate.errors import Conflict, Fault, NotPermitted, StatementRefused, Unavailable
from coral_gate.stores.sqlite_guard import NOT_PERMITTED

# These pass on the same connection. On a full disk another one could perhaps not be opened.
_PASSES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
# The statement is at fault, or whoever wrote it; anything that is not named here is the file's or the machine's fault.
_STATEMENT: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_INTERRUPT,
    }
)


def fault_of(error: sqlite3.Error) -> Fault:
    """The fault to raise for an error; it holds nothing of the error's text."""
    code = _code(error)
    if code is None or code in _STATEMENT:
        return StatementRefused()
    if code == sqlite3.SQLITE_CONSTRAINT:
        return NotPermitted() if str(error) == NOT_PERMITTED else Conflict()
    return Unavailable()


def spoils(error: sqlite3.Error) -> bool:
    """Whether the connection is better opened anew: the disk could not be read or written, or gave nonsense."""
    code = _code(error)
    return code is not None and code not in _STATEMENT | _PASSES and code != sqlite3.SQLITE_CONSTRAINT


def _code(error: sqlite3.Error) -> int | None:
    # The low byte is the primary code; errors that Python's own module raises have none.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF
