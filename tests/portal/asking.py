"""The portal's site, asked as the gate asks it: over a stream in memory, by a peer that says who asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import urlencode

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred

from coral_gate.errors import Fault
from coral_gate.gate.tokens import digest_of
from coral_gate.model import HTTPAnswer, Role, SandboxId, UserId
from coral_gate.portal.peer import PortalPeer
from coral_gate.portal.services import Journey, LocalResponder, Minting, PortalServices, SandboxCard, no_tickets
from coral_gate.portal.site import build_site
from coral_gate.records import Session, SessionId, SessionLabel, User, UserRowId
from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.visitor import Visitor
from tests.gate.stage import START
from tests.integration.answers import Answer, AnswerReader
from tests.sandboxes.recording import Recording, RecordingFactory
from tests.sandboxes.turns import Turns

PORTAL = "https://gate.localhost:8443"
SANDBOX = SandboxId("a" * 26)
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")

USER = User(UserRowId("u" * 26), UserId("https://issuer.example", "alice"), None, None, Role.USER, False, "operator", START, None)
SESSION = Session(
    SessionId("s" * 26), digest_of(b"a token"), USER.id, START, START, START + timedelta(hours=8), 3600, START,
    SessionLabel("Browser", "192.0.2.1"),
)  # fmt: skip


def visitor(name: str | None = "Alice", email: str | None = None) -> Visitor:
    """Somebody who is signed in."""
    return Visitor(SESSION, evolve(USER, name=name, email=email))


@frozen
class Sent:
    """Where a browser is sent."""

    location: str
    cookies: tuple[bytes, ...] = ()


@define
class Desk:
    """
    The gate as the pages see it: keeps what it is asked, and answers what a test says.

    :ivar asked: what was asked, each with its arguments.
    :ivar journey: the answer; None where somebody may not go there.
    :ivar failing: raised instead.
    :ivar waiting: what the list of sessions waits for.
    """

    asked: list[tuple[object, ...]] = field(factory=list)
    journey: Sent | None = field(factory=lambda: Sent("/there", (b"c=1; Secure",)))
    failing: Exception | None = None
    waiting: Deferred[None] | None = None
    living: tuple[Session, ...] = (SESSION,)
    cards: Sequence[SandboxCard] = ()

    def _note(self, *asked: object) -> Sent | None:
        self.asked.append(asked)
        if self.failing is not None:
            raise self.failing
        return self.journey

    def _sent(self, *asked: object) -> Sent:
        sent = self._note(*asked)
        assert sent is not None
        return sent

    async def begin(self, cookie: bytes | None, return_to: bytes) -> Journey:
        return self._sent("begin", cookie, return_to)

    async def finish(self, query: bytes, cookie: bytes | None, agent: str, address: str) -> Journey:
        return self._sent("finish", query, cookie, agent, address)

    async def hand_off(self, visitor: Visitor, sandbox: SandboxId, binding: str, path: bytes, address: str) -> Journey | None:
        return self._note("hand_off", visitor.session, sandbox, binding, path, address)

    async def enter(self, code: bytes, sandbox: SandboxId, cookie: bytes | None, address: str) -> Journey | None:
        return self._note("enter", code, sandbox, cookie, address)

    async def sign_out(self, visitor: Visitor, address: str) -> Journey:
        return self._sent("sign_out", visitor.session, address)

    def farewell(self, sandbox: SandboxId, rest: str, until: str, proof: str) -> Journey | None:
        return self._note("farewell", sandbox, rest, until, proof)

    async def list(self, visitor: Visitor) -> tuple[Session, ...]:
        self._note("list", visitor.session)
        if self.waiting is not None:
            await self.waiting
        return self.living

    async def end_other(self, visitor: Visitor, session: SessionId, address: str) -> bool:
        self._note("end_other", visitor.session, session, address)
        return True

    async def end_others(self, visitor: Visitor, address: str) -> int:
        self._note("end_others", visitor.session, address)
        return 1

    async def cut(self, visitor: Visitor, label: str, address: str) -> bool:
        self._note("cut", visitor.session, label, address)
        return True

    async def sandboxes(self, visitor: Visitor) -> Sequence[SandboxCard]:
        self._note("sandboxes", visitor.session)
        return self.cards


@define(eq=False)
class Portal:
    """A site and whoever asks it."""

    desk: Desk = field(factory=Desk)
    issuer: str = "Example"
    failing: Callable[[], tuple[str, ...]] = tuple
    local: LocalResponder | None = None
    mint: Minting = no_tickets
    _clock: Turns = field(factory=Turns, init=False)
    _link: MemoryLink = field(init=False)

    def __attrs_post_init__(self) -> None:
        desk = self.desk
        services = PortalServices(desk, desk, desk.sandboxes, PORTAL, self.issuer, self.local, self.failing, self.mint, desk.cut)
        site = build_site(self._clock, services)
        site.doStart()
        self._link = MemoryLink(self._clock, site)

    def ask(
        self,
        target: str,
        method: str = "GET",
        *fields: tuple[bytes, bytes],
        body: bytes | None = None,
        who: Visitor | None = None,
        sandbox: SandboxId | None = None,
        cookie: bytes | None = None,
    ) -> Answer:
        """One request of somebody at 192.0.2.7, and its answer."""
        ours = self.begin(target, method, *fields, body=body, who=who, sandbox=sandbox, cookie=cookie)
        reader = AnswerReader([method.encode()])
        reader.feed(ours.received)
        reader.closed()
        [answer] = reader.answers
        return answer

    def begin(
        self,
        target: str,
        method: str = "GET",
        *fields: tuple[bytes, bytes],
        body: bytes | None = None,
        who: Visitor | None = None,
        sandbox: SandboxId | None = None,
        cookie: bytes | None = None,
    ) -> Recording:
        """The same, and what has come of it so far."""
        lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: gate.localhost", b"Connection: close"]
        lines += [name + b": " + value for name, value in fields]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        clients = RecordingFactory()
        self._link.connect_as(clients, PortalPeer("192.0.2.7", who, sandbox, cookie))
        [ours] = clients.built
        ours.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        self._clock.settle()
        return ours

    def leave(self, ours: Recording) -> None:
        """The browser goes."""
        ours.transport.loseConnection()
        self._clock.settle()

    def post(self, target: str, *fields: tuple[str, str], who: Visitor | None = None, cookie: bytes | None = None) -> Answer:
        """A form, sent as a browser sends one."""
        return self.ask(target, "POST", FORM, body=urlencode(fields).encode(), who=who, cookie=cookie)


class Broken(Fault):
    """Something went wrong and says so."""

    status = 503
    sentence = "It is not there <now>."


def respond_teapot(method: bytes, target: bytes, fields: Sequence[tuple[bytes, bytes]], body: bytes) -> HTTPAnswer:
    """A built-in issuer that repeats what it was asked."""
    return HTTPAnswer(418, ((b"X-Asked", method + b" " + target), (b"Content-Length", b"%d" % len(body))), body)
