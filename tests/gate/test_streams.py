"""The registry of streams: who loses a right loses their streams."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.events import StreamClosed, StreamOpened, StreamRefused
from coral_gate.audit.sinks import RefusingSink
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.errors import AuditUnavailable, NotPermitted, TooMany, Unavailable
from coral_gate.gate.streams import DOUBT_S, SWEEP_S, Streams, sentence
from coral_gate.gate.upkeep import LEASE_S
from coral_gate.model import ChannelKind, CloseCode, Role, SandboxId, SealedCredential, ServiceName
from coral_gate.records import AsGate, Because, Capacity, Sandbox
from coral_gate.visitor import OpenStream, Visitor
from tests.gate.stage import OTHER, SANDBOX, START, Stage, now

ADDRESS = "192.0.2.1"
OPERATOR = AsGate(Capacity.OPERATOR)


class StreamTests(SynchronousTestCase):
    """Streams of two people."""

    def setUp(self) -> None:
        """Alice with two sessions, and Bob."""
        self.stage = Stage()
        self.alice, self.bob = self.stage.person("alice"), self.stage.person("bob")
        self.first, self.second = self.stage.sign_in(self.alice)[1], self.stage.sign_in(self.alice)[1]
        self.bobs = self.stage.sign_in(self.bob)[1]
        self.limits = LimitsConfig(streams=6, streams_per_session=3, streams_per_sandbox=5)
        self.streams = Streams(self.stage.sessions, self.stage.audit, self.limits, self.stage.clock)
        self.stage.sessions.watcher = self.streams
        self.streams.start()
        self.addCleanup(self.streams.stop)
        self.cuts: list[tuple[str, int, str]] = []

    def open(self, visitor: Visitor, sandbox: SandboxId = SANDBOX, name: str = "") -> OpenStream:
        """A stream that, when it is cut, says so and ends."""
        opened: list[OpenStream] = []

        def cut(code: int, reason: str) -> None:
            self.cuts.append((name, code, reason))
            self.streams.closed(opened[0], code)

        stream = now(self.streams.open(visitor, sandbox, ChannelKind.CONTROL, ADDRESS, cut))
        assert isinstance(stream, OpenStream)
        opened.append(stream)
        return stream

    def events(self, kind: type) -> list[object]:
        """What was recorded of one kind."""
        return [event for event in self.stage.audit.events if isinstance(event, kind)]

    def pass_time(self, seconds: float) -> None:
        """Let it pass in steps of the sweep."""
        for _ in range(round(seconds / SWEEP_S)):
            self.stage.pass_time(SWEEP_S)

    def test_recorded(self) -> None:
        """Opening is recorded before it is done, and the end with its code, duration and bytes."""
        stream = self.open(self.first)
        (opened,) = self.events(StreamOpened)
        assert isinstance(opened, StreamOpened)
        self.assertEqual((opened.who, opened.sandbox, opened.stream), (self.alice.who, SANDBOX, stream.label))
        stream.sent_bytes, stream.received_bytes = 10, 20
        self.stage.clock.advance(5)
        self.streams.closed(stream, 1000)
        self.streams.closed(stream, 1000)
        (closed,) = self.events(StreamClosed)
        assert isinstance(closed, StreamClosed)
        self.assertEqual((closed.code, closed.seconds, closed.sent_bytes, closed.received_bytes), (1000, 5, 10, 20))
        self.assertEqual(self.streams.list(), ())

    def test_unrecorded(self) -> None:
        """What cannot be recorded is not opened; what is open goes on, and ends."""
        stream = self.open(self.first)
        self.streams.audit = RefusingSink()
        with self.assertRaises(AuditUnavailable):
            self.open(self.second)
        self.assertEqual(self.streams.list(), (stream,))
        self.streams.closed(stream, 1000)
        self.assertEqual(self.streams.list(), ())

    def test_caps(self) -> None:
        """Of a session, of a sandbox and in all there are only so many; each refusal is recorded, and an end makes room."""
        mine = [self.open(self.first, OTHER) for _ in range(3)]
        self.assertRaises(TooMany, self.open, self.first)
        self.open(self.second, OTHER)
        self.open(self.second, OTHER)
        self.assertRaises(TooMany, self.open, self.second, OTHER)
        self.open(self.bobs)
        self.assertRaises(TooMany, self.open, self.bobs)
        self.streams.closed(mine[0], 1000)
        self.open(self.bobs)
        reasons = [event.reason for event in self.events(StreamRefused) if isinstance(event, StreamRefused)]
        self.assertEqual(reasons, ["too-many-of-session", "too-many-of-sandbox", "too-many-streams"])

    def test_signed_out(self) -> None:
        """Signing out cuts this session's streams at once, with the reason, and nobody else's."""
        self.open(self.first, name="first")
        self.open(self.first, OTHER, name="other")
        kept = [self.open(self.second), self.open(self.bobs)]
        now(self.stage.sessions.end(self.first, "signed-out"))
        self.assertEqual(self.cuts, [("first", 4401, "You signed out."), ("other", 4401, "You signed out.")])
        self.assertEqual(list(self.streams.list()), kept)
        again = self.stage.sign_in(self.alice)[1]
        self.open(again)

    def test_ended_from_elsewhere(self) -> None:
        """So does ending a session from the list, and ending all others."""
        self.open(self.second, name="second")
        now(self.stage.sessions.end_other(self.first, self.second.session, ADDRESS))
        self.assertEqual(self.cuts, [("second", 4401, "You ended this session.")])
        third = self.stage.sign_in(self.alice)[1]
        self.open(third, name="third")
        now(self.stage.sessions.end_others(self.first, ADDRESS))
        self.assertEqual(self.cuts[1:], [("third", 4401, "You ended this session.")])

    def test_another_process(self) -> None:
        """What another process revokes cuts when the log is followed."""
        now(self.stage.upkeep.follow())
        self.open(self.first, name="alice")
        self.open(self.bobs, name="bob")
        now(self.stage.stores.users.set_disabled(OPERATOR, self.bob.id, True, Because("left the company", START)))
        self.assertEqual(self.cuts, [])
        now(self.stage.upkeep.follow())
        self.assertEqual(self.cuts, [("bob", 4403, "You may not use this gate any more; ask your administrator.")])

    def test_role(self) -> None:
        """A change of role cuts nothing: the session lives."""
        now(self.stage.upkeep.follow())
        stream = self.open(self.bobs)
        now(self.stage.stores.users.set_role(OPERATOR, self.bob.id, Role.ADMINISTRATOR, Because("promoted", START)))
        now(self.stage.upkeep.follow())
        self.pass_time(DOUBT_S * 2)
        self.assertEqual((self.cuts, self.streams.list()), ([], (stream,)))
        self.assertFalse(stream.visitor.over, "it hangs on the fresh answer")

    def box(self) -> None:
        """A sandbox of Alice's with a row."""
        row = Sandbox(SANDBOX, self.alice.id, "Mine", "static", "ready", START)
        now(self.stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))

    def lock(self, why: str | None) -> None:
        """Another process locks it, or gives it back."""
        now(self.stage.stores.sandboxes.lock(OPERATOR, SANDBOX, why, Because("operator", START)))

    def test_locked(self) -> None:
        """A lock cuts a sandbox's streams, with the administrator's words, and none of another's; its end cuts nothing."""
        self.box()
        now(self.stage.upkeep.follow())
        dropped: list[str] = []
        self.stage.upkeep.drop_credential = dropped.append
        self.open(self.first, name="locked")
        kept = self.open(self.first, OTHER)
        self.lock("Under investigation; call 4711.")
        self.assertEqual(self.cuts, [])
        now(self.stage.upkeep.follow())
        self.assertEqual(self.cuts, [("locked", 4403, "Under investigation; call 4711.")])
        self.assertEqual((self.streams.list(), dropped), ((kept,), [SANDBOX]))
        self.assertRaises(NotPermitted, self.open, self.first)
        self.assertEqual([event.reason for event in self.events(StreamRefused) if isinstance(event, StreamRefused)], ["locked"])
        self.lock(None)
        again = self.open(self.first)
        now(self.stage.upkeep.follow())
        self.assertEqual((len(self.cuts), self.streams.list()), (1, (kept, again)))

    def test_locked_while_opening(self) -> None:
        """Between the gate's yes and the entry into the registry a lock is seen, though nobody has heard of it yet."""
        self.box()
        self.lock("Too loud.")
        self.assertRaises(NotPermitted, self.open, self.first)
        now(self.stage.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), SANDBOX, Because("destroyed", START)))
        self.assertRaises(NotPermitted, self.open, self.first)
        self.assertEqual(self.streams.list(), ())
        reasons = [event.reason for event in self.events(StreamRefused) if isinstance(event, StreamRefused)]
        self.assertEqual((reasons, self.events(StreamOpened)), (["locked", "sandbox-gone"], []))

    def test_lock_unheard(self) -> None:
        """Where revocations may have been missed, a stream to a locked sandbox is found all the same."""
        self.box()
        self.open(self.first, name="locked")
        kept = self.open(self.second, OTHER)
        self.lock("Too loud.")
        self.stage.sessions.forget_all()
        self.assertEqual((self.cuts, self.streams.list()), ([("locked", 4403, "Too loud.")], (kept,)))

    def test_lock_unanswered(self) -> None:
        """Where the store cannot say whether a sandbox is locked, nothing is opened to it, and nothing is left that counts."""
        self.stage.sessions.sandboxes = _Silent()  # type: ignore[assignment]  # a store that fails
        self.assertRaises(Unavailable, self.open, self.first)
        self.assertEqual(self.streams.list(), ())

    def test_credential_changed(self) -> None:
        """Another credential cuts a sandbox's streams, once, so that they come back with it; the old one is dropped before."""
        owner, vault = self.alice.who, self.stage.stores.credentials
        row = SealedCredential(SANDBOX, ServiceName.APP, owner, 1, b"sealed", START)
        now(vault.put(row, None))
        now(self.stage.upkeep.follow())
        order: list[object] = []
        self.stage.upkeep.drop_credential = lambda sandbox: order.append((sandbox, len(self.cuts)))
        self.open(self.first, name="mine")
        kept = self.open(self.first, OTHER)
        now(vault.put(evolve(row, version=2), 1))
        now(self.stage.upkeep.follow())
        self.assertEqual(self.cuts, [("mine", 4409, "The sandbox's credential was changed; your page connects again by itself.")])
        again = self.open(self.first)
        now(self.stage.upkeep.follow())
        self.assertEqual((order, self.streams.list()), ([(SANDBOX, 0)], (kept, again)))

    def test_gap_drops_credentials(self) -> None:
        """Where revocations may have been missed, no credential that is kept is used either."""
        dropped: list[int] = []
        self.stage.upkeep.drop_credentials = lambda: dropped.append(1)
        now(self.stage.upkeep.follow())
        self.stage.sessions.trusted = True
        self.stage.upkeep._seq = 7
        now(self.stage.upkeep.follow())
        self.assertEqual(dropped, [1, 1])

    def test_followed_twice_at_once(self) -> None:
        """The log may be followed by an operator's command while it is followed anyway: nothing is cut a second time."""
        self.box()
        now(self.stage.upkeep.follow())
        self.open(self.first, name="mine")
        log, waiting = self.stage.upkeep.revocations, [Deferred[None](), Deferred[None]()]

        class Slow:
            held = list(waiting)

            async def last(self) -> int:
                return await log.last()

            async def since(self, seq: int) -> object:
                found = await log.since(seq)
                await self.held.pop(0)
                return found

        self.stage.upkeep.revocations = Slow()  # type: ignore[assignment]  # no more is asked of it here
        self.lock("Too loud.")
        both = [Deferred.fromCoroutine(self.stage.upkeep.follow()) for _ in waiting]
        waiting[0].callback(None)
        self.lock(None)
        again = self.open(self.first, name="again")
        waiting[1].callback(None)
        for one in both:
            self.successResultOf(one)
        self.assertEqual(([cut[0] for cut in self.cuts], self.streams.list()), (["mine"], (again,)))

    def test_ended_unremembered(self) -> None:
        """Sessions whose streams are open are cut at once with all others, though nothing else remembers them."""
        self.open(self.second, name="second")
        self.stage.sessions._visitors.clear()
        self.stage.sessions._guests.clear()
        now(self.stage.sessions.end_others(self.first, ADDRESS))
        self.assertEqual(self.cuts, [("second", 4401, "You ended this session.")])

    def test_sandbox_gone(self) -> None:
        """A destroyed sandbox's streams are cut with a code of their own."""
        now(self.stage.upkeep.follow())
        now(self.stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), Sandbox(SANDBOX, self.alice.id, "Mine", "static", "ready", START)))
        self.open(self.first, name="gone")
        kept = self.open(self.first, OTHER)
        now(self.stage.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), SANDBOX, Because("destroyed", START)))
        now(self.stage.upkeep.follow())
        self.assertEqual(self.cuts, [("gone", 4404, "This sandbox is no more.")])
        self.assertEqual(self.streams.list(), (kept,))

    def test_expiry(self) -> None:
        """At its absolute end a session's streams are cut, however busy they are."""
        stream = self.open(self.first, name="first")
        for _ in range(int(self.stage.config.absolute_s // 600)):
            self.stage.pass_time(600)
            stream.active_at = self.stage.clock.seconds()
        self.pass_time(2)
        self.assertEqual(self.cuts, [("first", 4401, "Your session has ended.")])

    def test_open_is_no_activity(self) -> None:
        """A stream on which the person does nothing does not keep the session; one on which they do, does."""
        self.open(self.first, name="idle")
        busy = self.open(self.second, name="busy")
        for _ in range(int(self.stage.config.idle_s // 60) + 1):
            self.stage.pass_time(60)
            busy.active_at = self.stage.clock.seconds()
            self.stage.pass_time(1)
        self.pass_time(2)
        self.assertEqual([cut[0] for cut in self.cuts], ["idle"])
        now(self.stage.sessions.write_seen())
        self.stage.sessions.forget_all()
        self.assertIsNotNone(now(self.stage.sessions.look(self.second.digest)))

    def test_looking_is_no_use(self) -> None:
        """Asking again and again whether a session lives does not prolong it."""
        self.open(self.first, name="first")
        for _ in range(int(self.stage.config.idle_s // 60) + 1):
            self.stage.pass_time(60)
            self.streams.all_doubtful()
        self.pass_time(2)
        self.assertEqual([cut[0] for cut in self.cuts], ["first"])

    def test_doubt(self) -> None:
        """While the store cannot say a stream goes on for a while, and then no longer; one that is found good goes on."""
        stream = self.open(self.first, name="first")
        find, self.stage.sessions.store = self.stage.sessions.store, _Silent()  # type: ignore[assignment]  # a store that fails
        self.streams.all_doubtful()
        self.pass_time(DOUBT_S - 2)
        self.assertEqual(self.cuts, [])
        self.stage.sessions.store = find
        self.pass_time(10)
        self.assertEqual((self.cuts, self.streams.list()), ([], (stream,)))
        self.stage.sessions.store = _Silent()  # type: ignore[assignment]  # as above
        self.streams.all_doubtful()
        self.pass_time(DOUBT_S + 1)
        self.assertEqual(self.cuts, [("first", 4401, "The gate could not find out whether you are still signed in.")])

    def test_lease(self) -> None:
        """When the log of revocations is not heard for the lease, every stream is in doubt, though the asking never ends."""
        now(self.stage.upkeep.follow())
        self.open(self.first, name="first")
        self.stage.sessions.store = _Silent()  # type: ignore[assignment]  # a store that fails
        for _ in range(round(LEASE_S + DOUBT_S + 2)):
            self.pass_time(1)
            now(self.stage.upkeep.keep_lease())
        self.assertFalse(self.stage.sessions.trusted)
        self.assertEqual([cut[0] for cut in self.cuts], ["first"])

    def test_cut_while_opening(self) -> None:
        """A session that ends while the opening is being recorded opens nothing."""
        recording: Deferred[None] = Deferred()

        class Slow:
            async def record(self, event: object) -> None:
                await recording

        self.streams.audit = Slow()  # type: ignore[assignment]  # no more is asked of it here
        heard: list[int] = []
        opening = Deferred.fromCoroutine(
            self.streams.open(self.first, SANDBOX, ChannelKind.CONTROL, ADDRESS, lambda code, _: heard.append(code))
        )
        self.streams.cut_session(self.first.session, CloseCode.SESSION_ENDED, "You signed out.")
        self.first.over = True
        now(self.stage.stores.sessions.end(self.first.digest, Because("signed-out", START)))
        recording.callback(None)
        self.failureResultOf(opening, NotPermitted)
        self.assertEqual((heard, self.streams.list()), ([4401], ()))

    def test_doubt_while_opening(self) -> None:
        """An opening of which nobody can say whether it may be fails, and leaves nothing that counts."""
        self.first.over = True
        self.stage.sessions.store = _Silent()  # type: ignore[assignment]  # a store that fails
        self.failureResultOf(
            Deferred.fromCoroutine(self.streams.open(self.first, SANDBOX, ChannelKind.CONTROL, ADDRESS, lambda code, why: None)),
            Unavailable,
        )
        self.assertEqual(self.streams.list(), ())

    def test_given_up(self) -> None:
        """An opening that is given up while it is recorded leaves nothing."""
        self.streams.audit = _Never()  # type: ignore[assignment]  # as above
        opening = Deferred.fromCoroutine(self.streams.open(self.first, SANDBOX, ChannelKind.CONTROL, ADDRESS, lambda code, why: None))
        self.assertEqual(len(self.streams.list()), 1)
        opening.cancel()
        self.failureResultOf(opening)
        self.assertEqual(self.streams.list(), ())

    def test_one_that_fails(self) -> None:
        """A stream that cannot be cut keeps no other from it."""

        def broken(code: int, reason: str) -> None:
            raise ZeroDivisionError

        now(self.streams.open(self.first, SANDBOX, ChannelKind.CONTROL, ADDRESS, broken))
        self.open(self.first, name="other")
        self.assertEqual(self.streams.cut_session(self.first.session, 4401, "You signed out."), 2)
        self.assertEqual([cut[0] for cut in self.cuts], ["other"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_by_label(self) -> None:
        """One can be cut by its label, and a label that is not there does nothing."""
        stream, other = self.open(self.first, name="one"), self.open(self.first)
        self.assertTrue(self.streams.cut_one(stream.label, 4403, "Cut by the operator."))
        self.assertFalse(self.streams.cut_one(stream.label, 4403, "Cut by the operator."))
        self.assertEqual((self.cuts, self.streams.list()), ([("one", 4403, "Cut by the operator.")], (other,)))

    def test_all(self) -> None:
        """All at once, and each of a user's or a sandbox's."""
        self.open(self.first, name="a")
        self.open(self.bobs, OTHER, name="b")
        self.open(self.bobs, name="c")
        self.assertEqual(self.streams.of_user(self.alice.id), self.streams.list()[:1])
        self.assertEqual(self.streams.cut_sandbox(OTHER, 4403, "x"), 1)
        self.assertEqual(self.streams.cut_user(self.bob.id, 4403, "x"), 1)
        self.assertEqual(self.streams.cut_all(4403, "x"), 1)
        self.assertEqual([cut[0] for cut in self.cuts], ["b", "c", "a"])

    def test_sentences(self) -> None:
        """What a person reads is a sentence, whatever the word was."""
        self.assertEqual(sentence("signed-out"), "You signed out.")
        self.assertEqual(sentence("You are on no list any more."), "You are on no list any more.")
        for odd in ("", "word", "two words"):
            self.assertEqual(sentence(odd), "Your session has ended.")


class _Silent:
    """A store that cannot say."""

    async def find(self, *asked: object) -> None:
        """Nobody knows."""
        raise Unavailable


class _Never:
    """An audit log that never answers."""

    async def record(self, event: object) -> None:
        """Wait."""
        await Deferred()
