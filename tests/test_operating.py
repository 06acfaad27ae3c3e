"""What operators ask reaches the rooms; what was given is read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.errors import AuditUnavailable
from coral_gate.model import ChannelKind, CloseCode, Role, SandboxId, UserId
from coral_gate.operating import CUT, NoSuchStream, Operating
from coral_gate.records import SessionId, User, UserRowId
from coral_gate.visitor import OpenStream, Visitor
from tests.stores.contract import NOW, a_session

BOX = SandboxId("b" * 26)
ANN = User(UserRowId("u" * 26), UserId("https://issuer.example", "ann"), None, None, Role.USER, False, "operator", NOW, None)


@define
class Registry:
    """A registry of one stream, which remembers what was cut."""

    streams: list[OpenStream] = field(factory=list)
    cuts: list[tuple[object, ...]] = field(factory=list)

    def list(self) -> list[OpenStream]:
        """The streams."""
        return self.streams

    def cut_one(self, label: str, code: int, reason: str) -> bool:
        """One."""
        self.cuts.append(("label", label, code, reason))
        return label == "s1"

    def cut_session(self, session: SessionId, code: int, reason: str) -> int:
        """A session's."""
        self.cuts.append(("session", session, code, reason))
        return 1

    def cut_user(self, user: UserRowId, code: int, reason: str) -> int:
        """A user's."""
        self.cuts.append(("user", user, code, reason))
        return 2

    def cut_sandbox(self, sandbox: SandboxId, code: int, reason: str) -> int:
        """A sandbox's."""
        self.cuts.append(("sandbox", sandbox, code, reason))
        return 3


class StreamTests(SynchronousTestCase):
    """Streams."""

    def setUp(self) -> None:
        visitor = Visitor(a_session(ANN, "mine"), ANN)
        stream = OpenStream("s1", visitor, BOX, ChannelKind.TERMINAL, "192.0.2.1", 100.0, lambda code, reason: None)
        stream.sent_bytes, stream.active_at = 5, 110.0
        self.registry = Registry([stream])
        self.followed: list[int] = []
        nothing: Any = None
        self.audit = MemorySink()
        self.changed: list[str] = []
        self.table = Operating(nothing, nothing, self.follow, self.audit, self.registry, lambda: 120.0, self.change).table()

    async def change(self, sandbox: SandboxId) -> None:
        """Hear that a credential was changed."""
        self.changed.append(sandbox)

    async def follow(self) -> None:
        """Look what was revoked."""
        self.followed.append(1)

    def ask(self, do: str, **given: object) -> Mapping[str, object]:
        """What an operation gives."""
        told = cast("Any", self.table[do](given, lambda sentence: None))
        facts = self.successResultOf(Deferred.fromCoroutine(told))
        assert isinstance(facts, dict)
        return facts

    def refused(self, why: type[Exception], do: str, **given: object) -> str:
        """Why it is refused."""
        told = cast("Any", self.table[do](given, lambda sentence: None))
        return str(self.failureResultOf(Deferred.fromCoroutine(told), why).value)

    def test_credential_changed(self) -> None:
        """That a credential was changed is passed on, for a sandbox and nothing else."""
        self.assertEqual(self.ask("credential.changed", sandbox=BOX), {})
        self.assertEqual(self.changed, [BOX])
        self.refused(ValueError, "credential.changed", sandbox="x")
        self.refused(ValueError, "credential.changed", sandbox=BOX, more=1)
        self.assertEqual(self.changed, [BOX])

    def test_list(self) -> None:
        """A stream is listed with whose it is and what went over it; no token, no digest."""
        [one] = cast("list[dict[str, object]]", self.ask("stream.list")["streams"])
        self.assertEqual(
            (one["label"], one["channel"], one["sandbox"], one["subject"], one["open_s"], one["quiet_s"], one["sent_bytes"]),
            ("s1", "terminal", BOX, "ann", 20, 10, 5),
        )
        self.assertNotIn("digest", one)

    def test_cut(self) -> None:
        """Each way to name streams cuts those, with 4403 and the operator's words."""
        code = CloseCode.FORBIDDEN
        self.assertEqual(self.ask("stream.cut", label="s1", reason="noon"), {"cut": 1})
        self.assertEqual(self.ask("stream.cut", user=ANN.id), {"cut": 2})
        self.assertEqual(self.ask("stream.cut", sandbox=BOX), {"cut": 3})
        self.assertEqual(self.ask("stream.cut", session="c" * 26), {"cut": 1})
        self.assertEqual(
            self.registry.cuts,
            [("label", "s1", code, "noon"), ("user", ANN.id, code, CUT), ("sandbox", BOX, code, CUT), ("session", "c" * 26, code, CUT)],
        )
        self.refused(NoSuchStream, "stream.cut", label="s2")
        recorded = [(event["type"], event["by"], event["named"], event["why"]) for event in self.audit.written()]
        self.assertEqual(recorded[0], ("streams.cut", "label", "s1", "noon"))
        self.assertEqual(len(recorded), 4)

    def test_strict(self) -> None:
        """What is not exactly what an operation takes is refused, and nothing is cut."""
        given: tuple[dict[str, object], ...] = (
            {},
            {"label": "s1", "user": ANN.id},
            {"user": "nobody"},
            {"sandbox": "../x"},
            {"label": 7},
            {"label": "s1", "reason": "x" * 121},
            {"label": "s1", "reason": "line\nfeed"},
            {"everything": "yes"},
        )
        for each in given:
            self.assertTrue(self.refused(ValueError, "stream.cut", **each))
        self.assertEqual(self.registry.cuts, [])
        for do in ("stream.list", "daemon.follow", "daemon.reload", "sandbox.states"):
            self.refused(ValueError, do, x=1)
        for wrong in ({"sandbox": "x"}, {}, {"sandbox": BOX, "force": True}):
            self.refused(ValueError, "sandbox.destroy", **wrong)
        self.refused(ValueError, "sandbox.create", issuer="https://issuer.example", subject="a\nb", name="x", driver="memory")
        self.refused(ValueError, "sandbox.create", issuer="https://issuer.example", subject="ann", name=" ", driver="memory")

    def test_not_recorded(self) -> None:
        """A cut that cannot be recorded is not made."""
        nothing: Any = None
        self.table = Operating(nothing, nothing, self.follow, RefusingSink(), self.registry).table()
        self.refused(AuditUnavailable, "stream.cut", label="s1")
        self.assertEqual(self.registry.cuts, [])

    def test_follow(self) -> None:
        """What another process revoked is looked at at once."""
        self.assertEqual((self.ask("daemon.follow"), self.followed), ({}, [1]))
