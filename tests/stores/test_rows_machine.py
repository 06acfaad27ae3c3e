"""
Nobody reads or writes a foreign row: thousands of transactions of several users, most of them hostile, on one connection.

10,000 statements; 100,000 with CORAL_LONG=1 in the environment.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import frozen
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import Fault
from coral_gate.model import UserId
from coral_gate.records import AsGate, AsOwner, AsUser, Capacity, Principal, UserRowId
from coral_gate.stores.access import CREDENTIALS, SANDBOXES, TABLES, Table, Verb, own_rows, owner_text
from coral_gate.stores.sql import Row, Rows, Value
from coral_gate.stores.sqlite import SQLiteDatabase, open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores import hostile
from tests.stores.contract import NOW, digest

STEPS: Final = 100_000 if os.environ.get("CORAL_LONG") == "1" else 10_000
STEPS_A_RUN: Final = 100

ISSUER: Final = "https://issuer.example"
LETTERS: Final = "abc"


def user_id(letter: str) -> UserRowId:
    """A user's row id that tests can name."""
    return UserRowId(letter * 26)


def who(letter: str) -> UserId:
    """A user's issuer and subject."""
    return UserId(ISSUER, f"subject {letter}")


Way: TypeAlias = Callable[[Principal, Callable[[Rows], None]], Coroutine[Deferred[Any], Any, None]]  # Any: as fromCoroutine takes it


@frozen
class Statement:
    """A statement, the table it is about, and its values."""

    table: Table
    sql: str
    values: tuple[Value, ...] = ()


# The tables that users may write to come more often than the others.
TABLE = st.sampled_from((*TABLES, *(SANDBOXES, CREDENTIALS) * 3))
CONDITION = st.sampled_from(
    (
        "1",
        "1 = 1 OR 1",
        "{owner} = ?1",
        "{owner} <> ''",
        "{key} IN (SELECT {key} FROM {name})",
        "EXISTS (SELECT 1 FROM users)",
        "{owner} IN (SELECT user_id FROM sessions UNION SELECT id FROM users UNION SELECT owner FROM sandboxes)",
        "{owner} = ?1 OR {key} = ?2",
        "NOT ({owner} = ?1)",
        "coalesce(?1, {key}) = ?1 OR ?2",
    )
)
CHOICE = st.sampled_from(
    (
        "SELECT * FROM {name} WHERE {condition}",
        "SELECT count(*) FROM {name} WHERE {condition}",
        "SELECT * FROM {name} WHERE {condition} UNION ALL SELECT * FROM {name}",
        "SELECT a.* FROM {name} a, {name} b WHERE a.{owner} <> b.{owner}",
        "SELECT * FROM (SELECT * FROM {name}) AS base_{name} WHERE {condition}",
        "WITH base_{name} AS (SELECT * FROM {name}) SELECT * FROM base_{name} WHERE {condition}",
        "SELECT max({owner}), min({key}) FROM {name} WHERE {condition}",
        "DELETE FROM {name} WHERE {condition}",
        "UPDATE {name} SET {column} = {column} WHERE {condition}",
        "UPDATE {name} SET {owner} = ?1 WHERE {condition}",
        "UPDATE OR REPLACE {name} SET {key} = ?2 WHERE {condition}",
        "UPDATE OR IGNORE {name} SET {column} = ?1 WHERE {condition}",
        "INSERT INTO {name} SELECT * FROM {name} WHERE {condition}",
        "INSERT OR REPLACE INTO {name} SELECT * FROM {name} WHERE {condition}",
    )
)
CONFLICT = st.sampled_from(("", "OR REPLACE ", "OR IGNORE ", "OR ROLLBACK ", "OR FAIL ", "OR ABORT "))
ENDING = st.sampled_from((*("commit",) * 7, "ValueError", "CancelledError", "KeyboardInterrupt"))


@st.composite
def templated(draw: st.DrawFn, mine: str) -> Statement:
    """A statement that is well formed, aimed at rows of anyone."""
    table, other = draw(TABLE), draw(st.sampled_from(LETTERS + mine))
    names = {"name": table.name, "owner": table.owner, "key": table.unique[0][0], "column": draw(st.sampled_from(table.columns))}
    sql = draw(CHOICE).replace("{condition}", "(" + draw(CONDITION) + ")").format(**names)
    values = (_owner(table, other), _row(table, other, 1)[table.columns.index(names["key"])])
    return Statement(table, sql, values[: 2 if "?2" in sql else int("?1" in sql)])


@st.composite
def planted(draw: st.DrawFn, mine: str) -> Statement:
    """A row put in: for anyone, with the key of anyone's."""
    letter = st.sampled_from(LETTERS + mine * 3)
    table, owner, key, number = draw(TABLE), draw(letter), draw(letter), draw(st.integers(1, 3))
    row = dict(zip(table.columns, _row(table, owner, number), strict=True))
    theirs = dict(zip(table.columns, _row(table, key, number), strict=True))
    row.update({column: theirs[column] for column in table.unique[0]})
    row[table.owner] = _owner(table, owner)
    places = ", ".join("?" * len(row))
    return Statement(table, f"INSERT {draw(CONFLICT)}INTO {table.name} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))


HOSTILE = st.builds(Statement, TABLE, st.sampled_from(hostile.REFUSED))


@frozen
class Turn:
    """
    What a user does in one transaction.

    :ivar swallows: whether it goes on after a refusal.
    :ivar ending: `commit`, or the name of what is raised.
    """

    letter: str
    statements: tuple[Statement, ...]
    as_owner: bool
    reads: bool
    swallows: bool
    ending: str


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """One to four statements of a user; one of them, now and then, out to break in."""
    mine, chance = draw(st.sampled_from(LETTERS)), st.integers(0, 3).map(lambda number: number == 0)
    script = draw(st.lists(st.one_of(templated(mine), templated(mine), planted(mine)), min_size=1, max_size=3))
    if draw(chance):
        script.insert(draw(st.integers(0, len(script))), draw(HOSTILE))
    return Turn(mine, tuple(script), draw(chance), draw(chance), draw(chance), draw(ENDING))


def _owner(table: Table, letter: str) -> str:
    return owner_text(who(letter)) if table.name == "credentials" else user_id(letter)


def _row(table: Table, letter: str, number: int) -> Row:
    return _rows(letter, number)[table.name]


@cache
def _rows(letter: str, number: int) -> dict[str, Row]:
    """A user's rows, each of whose longer values is in no other user's."""
    name = f"{letter}{number}"
    at = (LETTERS.index(letter) + 1) * 10**15 + number
    box, session = (letter * 25 + "234567"[number]), digest(f"session {name}")
    return {
        "users": (user_id(letter), ISSUER, f"subject {letter}", f"{letter}@mail.example", None, "user", 0, f"by {name}", at, None, None),
        "sessions": (session, box, user_id(letter), at, at, at, 60, at, f"agent {name}", f"::{name}"),
        "sandbox_sessions": (digest(f"child {name}"), box, session, user_id(letter), box, at, at),
        "handoffs": (digest(f"code {name}"), user_id(letter), session, box, digest(f"browser {name}"), f"/{name}/path", at),
        "tickets": (digest(f"ticket {name}"), user_id(letter), session, box, "control", f"https://{name}.example", at),
        "sandboxes": (box, user_id(letter), f"sandbox {name}", "static", "stopped", at, None, None),
        "credentials": (box, "vnc", owner_text(who(letter)), number, f"sealed for {name}".encode(), at),
        "revocations": (at, "user", user_id(letter), user_id(letter), f"reason {name}", at),
    }


def _long(values: list[Row]) -> set[Value]:
    """The values that tell whose row they are from."""
    return {value for row in values for value in row if (isinstance(value, int) and value > 10**9) or len(str(value)) > 9}


class RowsMachine(RuleBasedStateMachine):
    """Three users on one database."""

    template: Path
    steps = seen = written = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.path = self.folder / "coral-gate.db"
        shutil.copy(self.template / "coral-gate.db", self.path)
        self.database: SQLiteDatabase = open_for_daemon(self.folder, at_once, at_once, NOW)
        self.connection = sqlite3.connect(self.path)
        self.stored = hostile.rows_of(self.connection)
        self.kept: list[Rows] = []

    def teardown(self) -> None:
        self.connection.close()
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize()
    def settle(self) -> None:
        """Each user has a row of everything."""
        for letter in LETTERS:
            self.restock(letter, 1)

    def restock(self, letter: str, number: int) -> None:
        """The gate does its work for a user, in each of its capacities, on the same connection."""
        for table, by in (
            (TABLES[0], AsGate(Capacity.OPERATOR)),
            (TABLES[1], AsGate(Capacity.SESSIONS)),
            (TABLES[2], AsGate(Capacity.SESSIONS)),
            (TABLES[3], AsGate(Capacity.HANDOFF)),
            (TABLES[4], AsGate(Capacity.HANDOFF)),
            (TABLES[5], AsGate(Capacity.SANDBOXES)),
            (TABLES[6], AsOwner(who(letter))),
            (TABLES[7], AsGate(Capacity.SESSIONS)),
        ):
            row = _row(table, letter, number)
            insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(row))})"
            self.quietly(self.database.run, by, _inserting(insert, row))
        self.stored = hostile.rows_of(self.connection)

    @rule(turn=turns(), restock=st.one_of(st.none(), st.none(), st.tuples(st.sampled_from(LETTERS), st.integers(1, 3))))
    def transact(self, turn: Turn, restock: tuple[str, int] | None) -> None:
        """A user does what they can think of, and it ends as it may; now and then the gate works in between."""
        if restock is not None:
            self.restock(*restock)
        by: Principal = AsOwner(who(turn.letter)) if turn.as_owner else AsUser(user_id(turn.letter))
        seen: list[Row] = []

        def work(rows: Rows) -> None:
            for kept in self.kept:
                _try(seen, kept, Statement(TABLES[0], "SELECT * FROM users"), True)
            self.kept[:] = [rows]
            for statement in turn.statements:
                _try(seen, rows, statement, turn.swallows)
            if turn.ending != "commit":
                raise {"ValueError": ValueError, "CancelledError": CancelledError, "KeyboardInterrupt": KeyboardInterrupt}[turn.ending]

        done = self.quietly(self.database.read if turn.reads else self.database.run, by, work)
        said = {value for statement in turn.statements for value in statement.values}
        self.judge(by, seen, said, unchanged=turn.reads or not done)
        RowsMachine.steps += len(turn.statements)

    def judge(self, by: Principal, seen: list[Row], said: set[Value], unchanged: bool) -> None:
        """No value of a foreign row was seen, unless it was said first, and no foreign row came, went or changed."""
        before, after = self.stored, hostile.rows_of(self.connection)
        self.stored = after
        RowsMachine.seen += len(seen)
        RowsMachine.written += before != after
        foreign: list[Row] = []
        for table in TABLES:
            place = table.columns.index(table.owner)
            mine = own_rows(by, table, Verb.SELECT)
            theirs = [row for row in before[table.name] if row[place] != mine]
            foreign += theirs  # type: ignore[arg-type]  # what SQLite gives is what a column holds
            writes = any(own_rows(by, table, verb) for verb in (Verb.INSERT, Verb.UPDATE, Verb.DELETE)) and not unchanged
            owner = next((own_rows(by, table, verb) for verb in (Verb.INSERT, Verb.DELETE) if verb in table.own), None)
            if writes:
                now = [row for row in after[table.name] if row[place] != owner]
                assert now == [row for row in before[table.name] if row[place] != owner], (by, table.name)
            else:
                assert after[table.name] == before[table.name], (by, table.name)
        told = _long(seen) & (_long(foreign) - _long(_own(by, before)) - said - {ISSUER})
        assert not told, told

    def quietly(self, way: Way, by: Principal, work: Callable[[Rows], None]) -> bool:
        """Whether it was done; whatever else came of it is caught."""
        outcome: list[bool] = []
        answer = Deferred.fromCoroutine(way(by, work))
        answer.addCallbacks(lambda _: outcome.append(True), lambda _: outcome.append(False))
        return outcome == [True]


def _inserting(sql: str, row: Row) -> Callable[[Rows], None]:
    def work(rows: Rows) -> None:
        rows.execute(sql, row)

    return work


def _own(by: Principal, rows: dict[str, list[tuple[object, ...]]]) -> list[Row]:
    own = {by.user} if isinstance(by, AsUser) else {owner_text(by.who)} if isinstance(by, AsOwner) else set()
    return [row for table in rows.values() for row in table if own & set(row)]  # type: ignore[misc]  # as above


def _try(seen: list[Row], rows: Rows, statement: Statement, swallows: bool) -> None:
    try:
        seen += rows.execute(statement.sql, statement.values)
    except Fault:
        if not swallows:
            raise


class RowsMachineTests(SynchronousTestCase):
    """Rows under fire."""

    def test_no_foreign_row(self) -> None:
        """In all these statements no foreign row is read or written."""
        # In memory where there is such a place: thousands of commits would otherwise wait for a disk.
        folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(shutil.rmtree, folder)
        RowsMachine.template = Path(folder) / "template"
        open_for_daemon(RowsMachine.template, at_once, at_once, NOW).close()
        RowsMachine.steps = RowsMachine.seen = RowsMachine.written = 0
        suppressed = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]
        usual = settings(
            database=None,
            phases=[Phase.generate, Phase.shrink] if STEPS > 10_000 else [Phase.generate],
            max_examples=STEPS // STEPS_A_RUN // 4,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            suppress_health_check=suppressed,
        )
        while RowsMachine.steps < STEPS:
            run_state_machine_as_test(RowsMachine, settings=usual)
        # The machine does see and change rows: its own.
        self.assertGreater(RowsMachine.seen, STEPS // 10)
        self.assertGreater(RowsMachine.written, STEPS // 500)
