"""Tickets: one socket, once, for exactly what they were asked for."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.events import TicketIssued
from coral_gate.audit.events import TicketRefused as RefusedEvent
from coral_gate.audit.sinks import RefusingSink
from coral_gate.errors import AuditUnavailable, NotPermitted, TicketRefused, TooMany
from coral_gate.gate.origins import Place, Side
from coral_gate.gate.tickets import OUTSTANDING, TICKET_S, Tickets
from coral_gate.model import ChannelKind, SandboxId, Secret
from coral_gate.visitor import Visitor
from tests.gate.stage import OTHER, SANDBOX, Stage, now

PORTAL = Place(Side.PORTAL, b"gate.localhost:8443")
ADDRESS = "192.0.2.1"


def at(sandbox: SandboxId) -> Place:
    """A sandbox's own place."""
    return Place(Side.SANDBOX, sandbox.encode() + b".sbx.localhost:8443", sandbox)


def tickets_of(stage: Stage) -> Tickets:
    """Tickets in this stage's stores."""
    return Tickets(stage.stores.tickets, stage.audit, Secret(b"p" * 32), lambda: stage.time)


class TicketTests(SynchronousTestCase):
    """Issuing and spending."""

    def setUp(self) -> None:
        """Somebody with two sessions, and somebody else."""
        self.stage = Stage()
        alice = self.stage.person("alice")
        self.mine, self.second = self.stage.sign_in(alice)[1], self.stage.sign_in(alice)[1]
        self.theirs = self.stage.sign_in(self.stage.person("mallory"))[1]
        self.tickets = tickets_of(self.stage)

    def issue(self, visitor: Visitor | None = None, channel: ChannelKind = ChannelKind.CONTROL, sandbox: SandboxId = SANDBOX) -> bytes:
        """A ticket of a page that may ask for it."""
        place = at(sandbox) if channel is ChannelKind.CONTROL else PORTAL
        token = now(self.tickets.issue(visitor or self.mine, place, sandbox, channel, ADDRESS))
        assert isinstance(token, Secret)
        return token.reveal()

    def spend(
        self, token: bytes | None, visitor: Visitor | None = None, sandbox: SandboxId = SANDBOX,
        channel: ChannelKind = ChannelKind.CONTROL, origin: bytes | None = None,
    ) -> bool:  # fmt: skip
        """Whether it opens this."""
        if origin is None:
            origin = at(sandbox).origin if channel is ChannelKind.CONTROL else PORTAL.origin
        try:
            now(self.tickets.spend(token, visitor or self.mine, sandbox, channel, origin, ADDRESS))
        except TicketRefused as refused:
            self.assertEqual((refused.args, refused.status), ((), 403), "all refusals look alike")
            return False
        return True

    def reasons(self) -> list[str]:
        """Why tickets were refused, as it was recorded."""
        return [event.reason for event in self.stage.audit.events if isinstance(event, RefusedEvent)]

    def test_once(self) -> None:
        """It opens what it is for, once."""
        token = self.issue()
        self.assertTrue(self.spend(token))
        self.assertFalse(self.spend(token))
        self.assertEqual(self.reasons(), ["unknown-ticket"])

    def test_recorded(self) -> None:
        """That it was issued is recorded before it is there; the token is nowhere in the record."""
        token = self.issue()
        (issued,) = [event for event in self.stage.audit.events if isinstance(event, TicketIssued)]
        self.assertEqual((issued.who, issued.sandbox, issued.channel), (self.mine.who, SANDBOX, ChannelKind.CONTROL))
        self.assertFalse(any(token in line for line in self.stage.audit.lines))

    def test_stored(self) -> None:
        """The store holds a digest under the pepper, and with another pepper it is worth nothing."""
        token = self.issue()
        other = Tickets(self.stage.stores.tickets, self.stage.audit, Secret(b"q" * 32), lambda: self.stage.time)
        with self.assertRaises(TicketRefused):
            now(other.spend(token, self.mine, SANDBOX, ChannelKind.CONTROL, at(SANDBOX).origin, ADDRESS))
        self.assertTrue(self.spend(token))

    def test_too_old(self) -> None:
        """After half a minute it opens nothing."""
        early, late = self.issue(), self.issue()
        self.stage.time += TICKET_S - 0.001
        self.assertTrue(self.spend(early))
        self.stage.time += 0.001
        self.assertFalse(self.spend(late))

    def test_matrix(self) -> None:
        """Of all channels, sandboxes, sessions and origins only the very same opens it, and every try spends it."""
        channels = (ChannelKind.CONTROL, ChannelKind.CHAT, ChannelKind.TERMINAL, ChannelKind.DESKTOP)
        sessions = (self.mine, self.second, self.theirs)
        origins = (at(SANDBOX).origin, at(OTHER).origin, PORTAL.origin, b"null", b"")
        opened = tried = 0
        for made_for in channels:
            for channel, sandbox, visitor, origin in itertools.product(channels, (SANDBOX, OTHER), sessions, origins):
                self.stage.time += TICKET_S  # so that no session has too many
                token = self.issue(channel=made_for)
                right = (at(SANDBOX) if made_for is ChannelKind.CONTROL else PORTAL).origin
                fits = (channel, sandbox, visitor, origin) == (made_for, SANDBOX, self.mine, right)
                self.assertIs(self.spend(token, visitor, sandbox, channel, origin), fits)
                self.assertFalse(self.spend(token, self.mine, SANDBOX, made_for, right), "spent by the first try")
                opened, tried = opened + fits, tried + 1
        self.assertEqual((opened, tried), (4, 480))
        self.assertEqual(
            set(self.reasons()), {"unknown-ticket", "other-session", "other-sandbox", "other-channel", "other-origin"}
        )

    def test_form(self) -> None:
        """What is no ticket by its form never reaches the store."""
        self.tickets.store = None  # type: ignore[assignment]  # nobody asks it
        for token in (None, b"", b"x", b"x" * 42, b"x" * 44, b"x" * 42 + b"\n", b"x" * 42 + b"=", b"\xff" * 43):
            self.assertFalse(self.spend(token))
        self.assertEqual(set(self.reasons()), {"no-ticket"})

    def test_minted_where(self) -> None:
        """A sandbox's page gets one for its own UI at itself and for nothing else; the portal's for the others and not for that."""
        for channel, place, sandbox in itertools.product(ChannelKind, (at(SANDBOX), at(OTHER), PORTAL), (SANDBOX, OTHER)):
            own = channel is ChannelKind.CONTROL and place.sandbox == sandbox
            ours = channel in (ChannelKind.CHAT, ChannelKind.TERMINAL, ChannelKind.DESKTOP) and place.side is Side.PORTAL
            asking = Deferred.fromCoroutine(self.tickets.issue(self.mine, place, sandbox, channel, ADDRESS))
            if own or ours:
                self.successResultOf(asking)
            else:
                self.failureResultOf(asking, NotPermitted)

    def test_session_over(self) -> None:
        """With its session it ends, also one that somebody carried away."""
        token = self.issue()
        now(self.stage.sessions.end(self.mine, "signed-out"))
        self.assertFalse(self.spend(token))
        with self.assertRaises(NotPermitted):
            self.issue()

    def test_too_many(self) -> None:
        """A session has only so many at one time; spending frees no place, time does, and another session has its own."""
        for _ in range(OUTSTANDING):
            self.spend(self.issue())
        with self.assertRaises(TooMany):
            self.issue()
        self.issue(self.second)
        self.stage.time += TICKET_S
        self.issue()

    def test_unrecorded(self) -> None:
        """What cannot be recorded is not issued; a refusal stands all the same."""
        self.tickets.audit = RefusingSink()
        with self.assertRaises(AuditUnavailable):
            self.issue()
        self.assertFalse(self.spend(b"x" * 43))


class TicketMachine(RuleBasedStateMachine):
    """Tickets against a model, in any order, with time passing and sessions ending."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        people = [self.stage.person(name) for name in ("alice", "mallory")]
        self.visitors = [self.stage.sign_in(person)[1] for person in (people[0], people[0], people[1])]
        self.tickets = tickets_of(self.stage)
        self.good: dict[bytes, tuple[Visitor, SandboxId, float]] = {}
        self.tokens: list[bytes] = [b"x" * 43]

    @rule(who=st.integers(0, 2), sandbox=st.sampled_from((SANDBOX, OTHER)))
    def issue(self, who: int, sandbox: SandboxId) -> None:
        """Somebody asks for one."""
        visitor = self.visitors[who]
        try:
            token = now(self.tickets.issue(visitor, at(sandbox), sandbox, ChannelKind.CONTROL, ADDRESS))
        except (NotPermitted, TooMany):
            return
        assert isinstance(token, Secret)
        assert not visitor.over
        self.good[token.reveal()] = (visitor, sandbox, self.stage.time + TICKET_S)
        self.tokens.append(token.reveal())

    @rule(which=st.integers(0, 10_000), who=st.integers(0, 2), sandbox=st.sampled_from((SANDBOX, OTHER)), own=st.booleans())
    def spend(self, which: int, who: int, sandbox: SandboxId, own: bool) -> None:
        """Somebody brings one, often the right one."""
        token = self.tokens[which % len(self.tokens)]
        visitor = self.visitors[who]
        expected = self.good.pop(token, None)
        if own and expected is not None:
            visitor, sandbox = expected[0], expected[1]
        fits = expected is not None and expected[:2] == (visitor, sandbox) and self.stage.time < expected[2] and not visitor.over
        try:
            now(self.tickets.spend(token, visitor, sandbox, ChannelKind.CONTROL, at(sandbox).origin, ADDRESS))
        except TicketRefused:
            assert not fits
        else:
            assert fits

    @rule(seconds=st.sampled_from((0.0, 1.0, TICKET_S / 2, TICKET_S)))
    def wait(self, seconds: float) -> None:
        """Time passes, and old ones are purged now and then."""
        self.stage.pass_time(seconds)
        now(self.tickets.store.purge(self.tickets._time()))

    @rule(who=st.integers(0, 2))
    def sign_out(self, who: int) -> None:
        """A session ends, and another begins in its place."""
        visitor = self.visitors[who]
        now(self.stage.sessions.end(visitor, "signed-out"))
        person = self.stage.person("alice" if who < 2 else "mallory")
        self.visitors[who] = self.stage.sign_in(person)[1]


class MachineTests(SynchronousTestCase):
    """The machine."""

    def test_machine(self) -> None:
        """No order of events opens anything twice, or for somebody else."""
        run_state_machine_as_test(TicketMachine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))
