"""
What an operator may ask of a running daemon, by name: what is given is read strictly, then asked of the rooms.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from attrs import frozen

from coral_gate.audit.events import StreamsCut
from coral_gate.checks import is_person
from coral_gate.errors import Conflict
from coral_gate.interfaces import IAuditSink
from coral_gate.model import CloseCode, SandboxId, ServiceName, UserId, sandbox_id
from coral_gate.operations.operator_socket import Operation, Tell
from coral_gate.operations.reload import Reload
from coral_gate.records import Sandbox, SessionId, UserRowId, session_id, user_row_id
from coral_gate.sandboxes.housekeeping import Housekeeper
from coral_gate.visitor import OpenStream

Given = Mapping[str, object]
Facts = Mapping[str, object]

CUT = "Cut by the operator."
"""The reason that a person reads where the operator gives none."""

_MOST_REASON = 120  # a close frame has room for 123 octets of it, RFC 6455 §5.5.1


class NoSuchStream(Conflict):
    """No stream has this label."""

    sentence = "There is no such stream; it may have ended. 'coral-gate stream list' shows those there are."


class OpenStreams(Protocol):
    """What is asked of the registry of streams."""

    def list(self) -> Iterable[OpenStream]:
        """Every stream that is open."""

    def cut_one(self, label: str, code: int, reason: str) -> bool:
        """Cut one; False where there is none."""

    def cut_session(self, session: SessionId, code: int, reason: str) -> int:
        """Cut a session's; gives how many."""

    def cut_user(self, user: UserRowId, code: int, reason: str) -> int:
        """Cut a user's."""

    def cut_sandbox(self, sandbox: SandboxId, code: int, reason: str) -> int:
        """Cut a sandbox's."""


async def _nothing(sandbox: SandboxId) -> None:
    """Where nothing is kept."""


@frozen
class Operating:
    """
    What operators' requests reach.

    :ivar streams: the registry; None where this daemon opens none.
    :ivar credential_changed: forgets what is kept of a sandbox's credential, and cuts the streams that were opened with it.
    :ivar follow: looks at once what was revoked by another process.
    :ivar monotonic: the clock of `OpenStream.opened_at`.
    """

    reload: Reload
    housekeeper: Housekeeper
    follow: Callable[[], Awaitable[None]]
    audit: IAuditSink
    streams: OpenStreams | None = None
    monotonic: Callable[[], float] = time.monotonic
    credential_changed: Callable[[SandboxId], Awaitable[object]] = _nothing

    def table(self) -> dict[str, Operation]:
        """Every operation by its name."""
        found: dict[str, Operation] = {
            "daemon.follow": self._follow,
            "daemon.reload": self._reload,
            "sandbox.create": self._create,
            "sandbox.start": self._start,
            "sandbox.stop": self._stop,
            "sandbox.destroy": self._destroy,
            "sandbox.rotate": self._rotate,
            "credential.changed": self._changed,
            "sandbox.states": self._states,
        }
        return found if self.streams is None else {**found, "stream.list": self._list, "stream.cut": self._cut}

    async def _follow(self, given: Given, tell: Tell) -> Facts:
        _only(given)
        await self.follow()
        return {}

    async def _reload(self, given: Given, tell: Tell) -> Facts:
        _only(given)
        done = await self.reload.reload()
        return {"applied": list(done.applied), "needs_restart": list(done.needs_restart), "people_ended": done.ended}

    async def _list(self, given: Given, tell: Tell) -> Facts:
        _only(given)
        assert self.streams is not None
        now = self.monotonic()
        return {"streams": [_stream(one, now) for one in self.streams.list()]}

    async def _cut(self, given: Given, tell: Tell) -> Facts:
        _only(given, "label", "session", "user", "sandbox", "reason")
        streams, reason, code = self.streams, _text(given, "reason", CUT), int(CloseCode.FORBIDDEN)
        assert streams is not None
        if not reason.isprintable() or not 1 <= len(reason.encode()) <= _MOST_REASON:
            raise ValueError(f"A reason is 1 to {_MOST_REASON} bytes of printable text.")
        cut: Callable[[], int]
        match {name: _text(given, name) for name in given if name != "reason"}:
            case {"label": label, **rest} if not rest:
                if all(one.label != label for one in streams.list()):
                    raise NoSuchStream
                cut = partial(streams.cut_one, label, code, reason)
            case {"session": session, **rest} if not rest:
                cut = partial(streams.cut_session, session_id(session), code, reason)
            case {"user": user, **rest} if not rest:
                cut = partial(streams.cut_user, user_row_id(user), code, reason)
            case {"sandbox": sandbox, **rest} if not rest:
                cut = partial(streams.cut_sandbox, sandbox_id(sandbox), code, reason)
            case _:
                raise ValueError("Say one of label, session, user and sandbox.")
        [by] = given.keys() - {"reason"}
        await self.audit.record(StreamsCut(by=by, named=_text(given, by), why=reason, reason="operator"))
        return {"cut": int(cut())}

    async def _create(self, given: Given, tell: Tell) -> Facts:
        _only(given, "issuer", "subject", "name", "driver")
        owner = UserId(_text(given, "issuer"), _text(given, "subject"))
        if not is_person(owner):
            raise ValueError("A subject is 1 to 255 printable characters.")
        name = _text(given, "name")
        if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
            raise ValueError("A name is 1 to 64 printable characters, with no blank at either end.")
        return _sandbox(await self.housekeeper.create(owner, name, _text(given, "driver"), tell))

    async def _start(self, given: Given, tell: Tell) -> Facts:
        return _sandbox(await self.housekeeper.start(_named(given), tell))

    async def _stop(self, given: Given, tell: Tell) -> Facts:
        return _sandbox(await self.housekeeper.stop(_named(given), tell))

    async def _destroy(self, given: Given, tell: Tell) -> Facts:
        sandbox = _named(given)
        await self.housekeeper.destroy(sandbox, tell)
        return {"id": sandbox, "state": "destroyed"}

    async def _states(self, given: Given, tell: Tell) -> Facts:
        _only(given)
        return {"states": {sandbox: condition.state.value for sandbox, condition in (await self.housekeeper.conditions()).items()}}

    async def _rotate(self, given: Given, tell: Tell) -> Facts:
        _only(given, "sandbox", "service")
        sandbox, service = sandbox_id(_text(given, "sandbox")), ServiceName(_text(given, "service"))
        await self.housekeeper.rotate(sandbox, service, tell)
        await self.credential_changed(sandbox)
        return {"sandbox": sandbox, "service": service.value}

    async def _changed(self, given: Given, tell: Tell) -> Facts:
        """Another process has changed a credential."""
        await self.credential_changed(_named(given))
        return {}


def _only(given: Given, *names: str) -> None:
    if not given.keys() <= set(names):
        raise ValueError("Something was given that this operation does not take.")


def _text(given: Given, name: str, absent: str | None = None) -> str:
    value = given.get(name, absent)
    if not isinstance(value, str):
        raise ValueError(f'This operation takes a text "{name}".')
    return value


def _named(given: Given) -> SandboxId:
    _only(given, "sandbox")
    return sandbox_id(_text(given, "sandbox"))


def _sandbox(row: Sandbox) -> Facts:
    return {"id": row.id, "name": row.name, "driver": row.driver, "state": row.state}


def _stream(one: OpenStream, now: float) -> Facts:
    who = one.visitor.who
    return {
        "label": one.label,
        "channel": one.channel.value,
        "sandbox": one.sandbox,
        "session": one.visitor.session,
        "user": one.visitor.user,
        "issuer": who.iss,
        "subject": who.sub,
        "address": one.address,
        "open_s": int(now - one.opened_at),
        "quiet_s": int(now - one.active_at),
        "sent_bytes": one.sent_bytes,
        "received_bytes": one.received_bytes,
    }
