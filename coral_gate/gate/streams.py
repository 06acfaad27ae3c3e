"""
Every stream that is open: who loses a right loses their streams, at once and with a reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from coral_gate.audit.events import StreamClosed, StreamOpened, StreamRefused
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.errors import NotPermitted, TooMany, Unavailable
from coral_gate.gate.sessions import Sessions
from coral_gate.interfaces import IAuditSink, IStreams
from coral_gate.model import ChannelKind, CloseCode, SandboxId
from coral_gate.records import SessionId, UserRowId
from coral_gate.visitor import Closing, OpenStream, Visitor

SWEEP_S: Final = 1.0
"""How often it is looked whose session has run out."""

DOUBT_S: Final = 5.0
"""How long a stream goes on while nobody can say whether it still may."""

_SENTENCES: Final = {
    "signed-out": "You signed out.",
    "signed out": "You signed out.",
    "replaced": "You signed in anew in this browser.",
    "ended-by-user": "You ended this session.",
    "limit": "You signed in elsewhere, and there were too many sessions.",
    "expired": "Your session has run out.",
}
"""What a person reads, by the word with which a session ended; a reason that is a sentence already is read as it is."""

OUT: Final = "You may not use this gate any more; ask your administrator."
ENDED: Final = "Your session has ended."
CREDENTIAL: Final = "The sandbox's credential was changed; your page connects again by itself."


def sentence(reason: str) -> str:
    """The reason of an ending for a person."""
    return _SENTENCES.get(reason) or (reason if " " in reason and reason.endswith(".") else ENDED)


@implementer(IStreams)
@define(eq=False)
class Streams:
    """
    The streams of this process.

    :param sessions: says whether a session still lives; this is to be its `watcher`.
    :param limits: how many there may be.
    :param clock: for the sweep.
    """

    sessions: Sessions
    audit: IAuditSink
    limits: LimitsConfig
    clock: IReactorTime
    _streams: dict[str, OpenStream] = field(factory=dict, init=False, repr=False)
    _sweeping: LoopingCall | None = field(default=None, init=False, repr=False)
    _doubtful: dict[str, float] = field(factory=dict, init=False, repr=False)
    _log = Logger()

    # -- opening and ending --------------------------------------------------------------------------------------------

    async def open(
        self, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, cut: Callable[[int, str], None]
    ) -> OpenStream:
        """See `IStreams.open`."""
        reason = self._full(visitor, sandbox)
        if reason:
            await self._refused(visitor, sandbox, channel, address, reason)
            raise TooMany
        stream = OpenStream(secrets.token_hex(5), visitor, sandbox, channel, address, self.sessions.monotonic(), cut)
        self._streams[stream.label] = stream  # before it is recorded: a cut that comes meanwhile has to find it
        event = StreamOpened(
            who=visitor.who, address=address, sandbox=sandbox, channel=channel, session=visitor.session, stream=stream.label
        )
        try:
            await self._usable(stream)
            await self.audit.record(event)
        except BaseException:  # a browser that has gone meanwhile too
            self._streams.pop(stream.label, None)
            raise
        if visitor.over:
            await self._confirm(stream)
        return stream

    async def _usable(self, stream: OpenStream) -> None:
        """Asked while it can be found already: a lock that comes later cuts it, one that came before is seen."""
        closing = await self.sessions.closing(stream.sandbox)
        if closing is not None:
            reason = "sandbox-gone" if closing.code is CloseCode.SANDBOX_GONE else "locked"
            await self._refused(stream.visitor, stream.sandbox, stream.channel, stream.address, reason)
            raise NotPermitted

    async def _confirm(self, stream: OpenStream) -> None:
        """Whoever does not get the stream cannot close it: where nobody can say whether it may be, it is not kept either."""
        try:
            closing = await self._closing(stream)
        except BaseException:
            self.closed(stream, 0)
            raise
        if closing is not None:
            self.closed(stream, 0)
            raise NotPermitted

    def closed(self, stream: OpenStream, code: int) -> None:
        """See `IStreams.closed`."""
        if self._streams.get(stream.label) is not stream:
            return
        del self._streams[stream.label]
        self._doubtful.pop(stream.label, None)
        seconds = max(0, round(self.sessions.monotonic() - stream.opened_at))
        event = StreamClosed(
            who=stream.visitor.who, address=stream.address, sandbox=stream.sandbox, channel=stream.channel,
            session=stream.visitor.session, stream=stream.label, code=int(code), seconds=seconds,
            sent_bytes=stream.sent_bytes, received_bytes=stream.received_bytes,
        )  # fmt: skip
        recording = Deferred.fromCoroutine(self.audit.record(event))
        recording.addErrback(lambda failure: self._log.error("the end of stream {label} was not recorded", label=stream.label))

    def list(self) -> tuple[OpenStream, ...]:
        """Every stream that is open, the oldest first."""
        return tuple(self._streams.values())

    def of_user(self, user: UserRowId) -> tuple[OpenStream, ...]:
        """A user's own, the oldest first."""
        return tuple(stream for stream in self._streams.values() if stream.visitor.user == user)

    # -- cutting -------------------------------------------------------------------------------------------------------

    def cut_one(self, label: str, code: int, reason: str) -> bool:
        """Cut one; False where there is none."""
        stream = self._streams.get(label)
        return stream is not None and self._cut([stream], code, reason) == 1

    def cut_session(self, session: SessionId, code: int, reason: str) -> int:
        """Cut a session's; gives how many."""
        return self._cut([one for one in self._streams.values() if one.visitor.session == session], code, reason)

    def cut_user(self, user: UserRowId, code: int, reason: str) -> int:
        """Cut a user's; gives how many."""
        return self._cut([one for one in self._streams.values() if one.visitor.user == user], code, reason)

    def cut_sandbox(self, sandbox: SandboxId, code: int, reason: str) -> int:
        """Cut those to a sandbox; gives how many."""
        return self._cut([one for one in self._streams.values() if one.sandbox == sandbox], code, reason)

    def cut_all(self, code: int, reason: str) -> int:
        """Cut every stream; gives how many."""
        return self._cut(list(self._streams.values()), code, reason)

    def _cut(self, streams: Iterable[OpenStream], code: int, reason: str) -> int:
        """Whatever becomes of one, the others are cut too."""
        count = 0
        for stream in streams:
            count += 1
            with self._log.failuresHandled("a stream could not be cut: {label}", label=stream.label):
                stream.cut(code, reason)
        return count

    # -- what sessions tell, see `sessions.Watcher` --------------------------------------------------------------------

    def session_over(self, session: SessionId, reason: str) -> None:
        """A session has ended."""
        self.cut_session(session, CloseCode.SESSION_ENDED, sentence(reason))

    def user_out(self, user: UserRowId) -> None:
        """A user may not sign in any more."""
        self.cut_user(user, CloseCode.FORBIDDEN, OUT)

    def user_changed(self, user: UserRowId) -> None:
        """Something about a user has changed: whoever still may goes on."""
        self._ask_again(self.of_user(user))

    def sandbox_over(self, sandbox: SandboxId, closing: Closing) -> None:
        """Nobody may use a sandbox any more."""
        self.cut_sandbox(sandbox, closing.code, closing.reason)

    def credential_changed(self, sandbox: SandboxId) -> None:
        """What is open was opened with a credential that is no more; whoever connects again gets the new one."""
        self.cut_sandbox(sandbox, CloseCode.DRAINING, CREDENTIAL)

    def all_doubtful(self) -> None:
        """Something may have been revoked that nobody heard of."""
        self._ask_again(self.list())

    def _ask_again(self, streams: Iterable[OpenStream]) -> None:
        for stream in streams:
            self._doubtful.setdefault(stream.label, self.sessions.monotonic() + DOUBT_S)
            asking = Deferred.fromCoroutine(self._settle(stream))
            asking.addErrback(lambda failure: self._log.failure("a stream could not be looked at again", failure))

    async def _settle(self, stream: OpenStream) -> None:
        """Ask the store; where it cannot say, the sweep asks again, until there has been doubt for too long."""
        try:
            closing = await self._closing(stream)
        except Unavailable:
            return
        self._doubtful.pop(stream.label, None)
        if closing is not None and stream.label in self._streams:
            self._cut([stream], closing.code, closing.reason)

    async def _closing(self, stream: OpenStream) -> Closing | None:
        """Why it may not go on, by the store: the session has ended, or the sandbox is gone or locked. To look is no use of it."""
        visitor = await self.sessions.look(stream.visitor.digest)
        if visitor is None:
            return Closing(CloseCode.SESSION_ENDED, ENDED)
        stream.visitor = visitor
        return await self.sessions.closing(stream.sandbox)

    # -- time ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look whose session has run out."""
        self._sweeping = loop = LoopingCall(self.sweep)
        loop.clock = self.clock
        loop.start(SWEEP_S, now=False).addErrback(lambda failure: self._log.failure("the sweep of streams has ended", failure))

    def stop(self) -> None:
        """Look no more."""
        if self._sweeping is not None and self._sweeping.running:
            self._sweeping.stop()

    def sweep(self) -> None:
        """Look at each stream once."""
        now = self.sessions.monotonic()
        for stream in list(self._streams.values()):
            with self._log.failuresHandled("a stream could not be looked at: {label}", label=stream.label):
                self._look(stream, now)

    def _look(self, stream: OpenStream, now: float) -> None:
        visitor = stream.visitor
        self.sessions.used(visitor, stream.active_at)
        doubt = self._doubtful.get(stream.label)
        if doubt is not None and now >= doubt:
            self._cut([stream], CloseCode.SESSION_ENDED, "The gate could not find out whether you are still signed in.")
        elif doubt is not None:
            self._ask_again([stream])
        elif not self.sessions.runs(visitor):
            self._ask_again([stream])  # it may have been used by other means; the store knows

    # -- how many ------------------------------------------------------------------------------------------------------

    def _full(self, visitor: Visitor, sandbox: SandboxId) -> str:
        streams, limits = self._streams.values(), self.limits
        if len(streams) >= limits.streams:
            return "too-many-streams"
        if sum(one.visitor.session == visitor.session for one in streams) >= limits.streams_per_session:
            return "too-many-of-session"
        if sum(one.sandbox == sandbox for one in streams) >= limits.streams_per_sandbox:
            return "too-many-of-sandbox"
        return ""

    async def _refused(self, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, reason: str) -> None:
        event = StreamRefused(who=visitor.who, address=address, sandbox=sandbox, channel=channel, reason=reason)
        try:
            await self.audit.record(event)
        except Unavailable:
            self.audit.count_refused(StreamRefused, address, reason)
