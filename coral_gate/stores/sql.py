"""
Rows in a database, as the stores see them: one transaction at a time, on behalf of one principal.

SQL is written with `?` for each value, and never holds a value itself. What differs between databases stays here and in
the module that opens one (`coral_gate.stores.sqlite`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from coral_gate.errors import RowDamaged
from coral_gate.records import Principal
from coral_gate.stores.access import Table

T = TypeVar("T")
V = TypeVar("V")

Value = str | bytes | int | None
"""What a column holds."""

Row = tuple[Value, ...]
"""One row, in the order of the columns asked for."""


class Rows(Protocol):
    """The rows that one principal may reach, until its transaction ends."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """
        Run one statement: SELECT, INSERT, UPDATE or DELETE; give its rows.

        How many rows a statement changed cannot be asked: look first, in the same transaction, which nobody else
        writes in.

        :raises NotPermitted: a row would be written that this principal may not write; the transaction is over.
        :raises Conflict: a row would be there twice, or refer to nothing; the transaction is over.
        :raises StatementRefused: the statement reaches for something other than the rows; the transaction is over.
        """


class Database(Protocol):
    """Where stores keep their rows. Transactions are done one after the other, away from the reactor's thread."""

    async def run(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """
        Do work in a transaction on behalf of `by`; when this returns, what it wrote is on stable storage.

        Whatever `work` raises undoes it. Cancelling stops the wait: work that has begun is done whole or not at all, work
        that has not is not begun.

        :param work: plain code, run in another thread; it holds on to nothing that it gets.
        :raises Unavailable: the database cannot do this now; nothing was changed.
        :raises NotPermitted: `by` says administrator and is none at this moment, or as `Rows.execute` says.
        """

    async def read(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """Do work that only reads, beside the transaction that writes; sees what was committed before it began."""


def select(table: Table) -> str:
    """The beginning of a statement that gives whole rows of a table, in the order of its columns."""
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names of ours


def insert(table: Table) -> str:
    """The statement that adds a row to a table; one value for each of its columns."""
    places = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})"  # noqa: S608 - names of ours


def decoded(decode: Callable[[Row], V], rows: Iterable[Row]) -> tuple[V, ...]:
    """
    Rows as values, each checked.

    :raises RowDamaged: one of them is no such value.
    """
    try:
        return tuple(decode(row) for row in rows)
    except (ValueError, TypeError) as error:
        raise RowDamaged from error


def first(decode: Callable[[Row], V], rows: Iterable[Row]) -> V | None:
    """The first row as a value, or None where there is none; raises as `decoded` does."""
    return next(iter(decoded(decode, rows)), None)


def text(value: Value) -> str:
    """
    A column that holds text.

    :raises ValueError: it holds something else.
    """
    if not isinstance(value, str):
        raise ValueError("a stored text is none")
    return value


def maybe_text(value: Value) -> str | None:
    """A column that holds text or nothing; raises as `text` does."""
    return None if value is None else text(value)


def octets(value: Value) -> bytes:
    """
    A column that holds bytes.

    :raises ValueError: it holds something else.
    """
    if not isinstance(value, bytes):
        raise ValueError("stored bytes are none")
    return value


def whole(value: Value) -> int:
    """
    A column that holds a whole number.

    :raises ValueError: it holds something else.
    """
    if not isinstance(value, int):
        raise ValueError("a stored number is none")
    return value


def truth(value: Value) -> bool:
    """
    A column that holds 0 or 1.

    :raises ValueError: it holds something else.
    """
    if value not in (0, 1):
        raise ValueError("a stored truth value is neither 0 nor 1")
    return value == 1
