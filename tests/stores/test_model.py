"""
Whatever is done with them, the stores in SQLite and in memory answer alike.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import Role, SandboxId, UserId
from coral_gate.records import (
    AsAdministrator,
    AsGate,
    AsUser,
    Because,
    Capacity,
    Handoff,
    Principal,
    Sandbox,
    SandboxSession,
    Session,
    SessionId,
    UserRowId,
)
from coral_gate.stores.memory import MemoryTables
from coral_gate.stores.memory_handoffs import MemoryHandoffStore
from coral_gate.stores.memory_revocations import MemoryRevocationLog
from coral_gate.stores.memory_sandboxes import MemorySandboxStore
from coral_gate.stores.memory_sessions import MemorySessionStore
from coral_gate.stores.memory_users import MemoryUserStore
from coral_gate.stores.providers import Stores, database_stores, memory_stores
from coral_gate.stores.sql_users import SQLUserStore
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.stores.contract import LABEL, NOW, box_id, digest, later

LONG: Final = os.environ.get("CORAL_LONG") == "1"

Work = Callable[[Stores], Coroutine[Deferred[Any], Any, object]]  # Any: what Deferred.fromCoroutine takes


def an_id(letter: str, number: int) -> str:
    """An id that tests can name."""
    return letter * 24 + "234567"[number // 6] + "234567"[number % 6]


PEOPLE = st.sampled_from([UserId("https://issuer.example", name) for name in ("ann", "bob", "root")])
USERS = st.sampled_from([UserRowId(an_id("u", number)) for number in range(3)])
NUMBERS = st.integers(0, 3)
TIMES = st.integers(0, 40).map(lambda seconds: later(seconds * 60))
BECAUSE = st.builds(Because, st.sampled_from(("signed out", "stolen")), TIMES)
GATE = st.sampled_from([AsGate(capacity) for capacity in Capacity])
BY: st.SearchStrategy[Principal] = st.one_of(
    st.builds(AsUser, USERS), st.builds(AsAdministrator, USERS), GATE, st.just(AsGate(Capacity.OPERATOR))
)
BOXES = st.integers(0, 2).map(lambda number: box_id("abc"[number]))
TOKENS = st.one_of(NUMBERS.map(lambda number: digest(f"session {number}")), NUMBERS.map(lambda number: digest(f"child {number}")))
MOST = st.integers(1, 3)


class StoresMachine(RuleBasedStateMachine):
    """The same done to both."""

    folder: Path
    done = refused = 0

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=self.folder))
        self.database = open_for_daemon(self.place, at_once, at_once, NOW)
        tables, ids = MemoryTables(), (count(), count())
        self.memory = evolve(
            memory_stores(),
            users=MemoryUserStore(tables, lambda: UserRowId(an_id("u", next(ids[0])))),
            sessions=MemorySessionStore(tables),
            handoffs=MemoryHandoffStore(tables),
            sandboxes=MemorySandboxStore(tables),
            revocations=MemoryRevocationLog(tables),
        )
        users = SQLUserStore(self.database, lambda: UserRowId(an_id("u", next(ids[1]))))
        self.sqlite = evolve(database_stores(self.database), users=users)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.place)

    def both(self, work: Work) -> None:
        """Do it to both; they answer alike."""
        memory, sqlite = _outcome(work(self.memory)), _outcome(work(self.sqlite))
        assert memory == sqlite, (memory, sqlite)
        if isinstance(memory, type):
            StoresMachine.refused += 1
        else:
            StoresMachine.done += 1

    @initialize()
    def settle(self) -> None:
        """Three people are there, one of them with a session that has everything below it."""
        for name in ("ann", "bob", "root"):
            role = Role.ADMINISTRATOR if name == "root" else Role.USER
            self.allow(AsGate(Capacity.OPERATOR), UserId("https://issuer.example", name), role, NOW)
        user = UserRowId(an_id("u", 0))
        self.create(user, 0, NOW, 3)
        self.create_child(user, 0, 0, box_id("a"), NOW, 3)
        self.put_code(user, 0, 0, box_id("a"), later(1800))

    @rule(by=BY, who=PEOPLE, role=st.sampled_from(Role), at=TIMES)
    def allow(self, by: Principal, who: UserId, role: Role, at: datetime) -> None:
        """Let somebody in."""
        self.both(lambda stores: stores.users.allow(by, who, role, at, "x@example.org"))

    @rule(who=PEOPLE, at=TIMES)
    def sign_in(self, who: UserId, at: datetime) -> None:
        """Somebody signs in."""
        self.both(lambda stores: stores.users.sign_in(who, "y@example.org", "Y", at))
        self.both(lambda stores: stores.users.find(who))

    @rule(by=BY, user=USERS, after=st.one_of(st.none(), USERS), most=MOST)
    def look(self, by: Principal, user: UserRowId, after: UserRowId | None, most: int) -> None:
        """Somebody looks around."""
        self.both(lambda stores: stores.users.get(by, user))
        self.both(lambda stores: stores.users.list(by, after, most))
        self.both(lambda stores: stores.sessions.list(by, user))
        self.both(lambda stores: stores.sandboxes.list(by, user))
        self.both(lambda stores: stores.sandboxes.list(by, user, destroyed=True))

    @rule(by=BY, user=USERS, role=st.sampled_from(Role), because=BECAUSE)
    def set_role(self, by: Principal, user: UserRowId, role: Role, because: Because) -> None:
        """Give a role."""
        self.both(lambda stores: stores.users.set_role(by, user, role, because))

    @rule(by=BY, user=USERS, disabled=st.booleans(), because=BECAUSE)
    def set_disabled(self, by: Principal, user: UserRowId, disabled: bool, because: Because) -> None:
        """Disable or enable."""
        self.both(lambda stores: stores.users.set_disabled(by, user, disabled, because))

    @rule(by=BY, user=USERS, because=BECAUSE)
    def delete(self, by: Principal, user: UserRowId, because: Because) -> None:
        """Forget a person."""
        self.both(lambda stores: stores.users.delete(by, user, because))

    @rule(user=USERS, number=NUMBERS, at=TIMES, most=MOST)
    def create(self, user: UserRowId, number: int, at: datetime, most: int) -> None:
        """Open a session."""
        identity = SessionId(an_id("s", number))
        session = Session(identity, digest(f"session {number}"), user, at, at, later(1800), 600, at, LABEL)
        self.both(lambda stores: stores.sessions.create(session, most))

    @rule(user=USERS, parent=NUMBERS, number=NUMBERS, box=BOXES, at=TIMES, most=MOST)
    def create_child(self, user: UserRowId, parent: int, number: int, box: SandboxId, at: datetime, most: int) -> None:
        """Open a sandbox session."""
        identity = SessionId(an_id("c", number))
        child = SandboxSession(identity, digest(f"child {number}"), digest(f"session {parent}"), user, box, at, at)
        self.both(lambda stores: stores.sessions.create_child(child, most))

    @rule(token=TOKENS, seen=st.dictionaries(TOKENS, TIMES, max_size=3))
    def find(self, token: bytes, seen: dict[bytes, datetime]) -> None:
        """Requests come."""
        self.both(lambda stores: stores.sessions.touch_many(seen))
        self.both(lambda stores: stores.sessions.find(token))
        self.both(lambda stores: stores.sessions.find_child(token))
        self.both(lambda stores: stores.sessions.opened(token))

    @rule(token=TOKENS, because=BECAUSE)
    def end(self, token: bytes, because: Because) -> None:
        """A session ends."""
        self.both(lambda stores: stores.sessions.end(token, because))

    @rule(by=BY, number=NUMBERS, because=BECAUSE)
    def end_by_id(self, by: Principal, number: int, because: Because) -> None:
        """A session is ended from a list."""
        self.both(lambda stores: stores.sessions.end_by_id(by, SessionId(an_id("s", number)), because))

    @rule(by=BY, user=USERS, because=BECAUSE, keep=st.one_of(st.none(), NUMBERS))
    def end_all(self, by: Principal, user: UserRowId, because: Because, keep: int | None) -> None:
        """All sessions end but one."""
        kept = None if keep is None else SessionId(an_id("s", keep))
        self.both(lambda stores: stores.sessions.end_all(by, user, because, kept))

    @rule(user=USERS, session=NUMBERS, number=NUMBERS, box=BOXES, at=TIMES)
    def put_code(self, user: UserRowId, session: int, number: int, box: SandboxId, at: datetime) -> None:
        """A hand-off begins."""
        code = Handoff(digest(f"code {number}"), user, digest(f"session {session}"), box, digest("browser"), "/", at)
        self.both(lambda stores: stores.handoffs.put(code))

    @rule(number=NUMBERS, at=TIMES)
    def take_code(self, number: int, at: datetime) -> None:
        """A hand-off ends."""
        self.both(lambda stores: stores.handoffs.take(digest(f"code {number}"), at))

    @rule(by=BY, owner=USERS, box=BOXES, at=TIMES)
    def put_box(self, by: Principal, owner: UserRowId, box: SandboxId, at: datetime) -> None:
        """A sandbox comes, or changes."""
        sandbox = Sandbox(box, owner, f"at {at:%H %M}", "static", "running", at)
        self.both(lambda stores: stores.sandboxes.put(by, sandbox))

    @rule(by=BY, box=BOXES, because=BECAUSE)
    def tombstone(self, by: Principal, box: SandboxId, because: Because) -> None:
        """A sandbox goes."""
        self.both(lambda stores: stores.sandboxes.tombstone(by, box, because))
        self.both(lambda stores: stores.sandboxes.find(by, box))

    @rule(by=BY, box=BOXES, why=st.sampled_from((None, "Too loud.", "Too late.")), because=BECAUSE)
    def lock(self, by: Principal, box: SandboxId, why: str | None, because: Because) -> None:
        """A sandbox is locked or given back."""
        self.both(lambda stores: stores.sandboxes.lock(by, box, why, because))

    @rule(at=TIMES, most=MOST)
    def purge(self, at: datetime, most: int) -> None:
        """The gate tidies up."""
        self.both(lambda stores: stores.handoffs.purge(at))
        self.both(lambda stores: stores.sandboxes.purge(at + timedelta(days=400)))
        self.both(lambda stores: stores.revocations.forget(at))

    @rule(seq=st.integers(-1, 30), most=MOST)
    def follow(self, seq: int, most: int) -> None:
        """The gate follows revocations."""
        self.both(lambda stores: stores.revocations.last())
        self.both(lambda stores: stores.revocations.since(seq, most))


def _outcome(work: Coroutine[Deferred[Any], Any, object]) -> object:  # Any: what Deferred.fromCoroutine takes
    outcomes: list[object] = []
    Deferred.fromCoroutine(work).addBoth(outcomes.append)
    return outcomes[0].type if isinstance(outcomes[0], Failure) else outcomes[0]


class ModelTests(SynchronousTestCase):
    """SQLite against memory."""

    def test_alike(self) -> None:
        """Both give the same answers and faults, whatever came before."""
        folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(shutil.rmtree, folder)
        StoresMachine.folder = Path(folder)
        suppressed = [HealthCheck.too_slow, HealthCheck.data_too_large]
        usual = settings(
            max_examples=400 if LONG else 40,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=suppressed,
            database=None,
        )
        run_state_machine_as_test(StoresMachine, settings=usual)
        self.assertGreater(StoresMachine.done, 1000)
        self.assertGreater(StoresMachine.refused, 50)
