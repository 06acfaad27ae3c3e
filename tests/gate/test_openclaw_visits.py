"""Visits to sandboxes that speak OpenClaw."""

from __future__ import annotations

from collections.abc import Coroutine

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.gate.judge import Judge
from coral_gate.gate.policy import Redirect, Refusal
from coral_gate.gate.routes import RouteTable
from coral_gate.http1.head import HeadLimits, read_request
from coral_gate.model import Asker, ChannelKind
from tests.edge.bench import Bench

NAVIGATE = b"\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document"


class VisitTests(SynchronousTestCase):
    """What nobody who is signed in is told."""

    def ask(self, line: bytes, more: bytes = b"", openclaw: bool = True) -> object:
        """A decision for nobody."""
        bench = Bench().door.judge
        every = frozenset(ChannelKind)
        judge = Judge(bench._origins, RouteTable(), bench.sessions, bench._tombstones, every, frozenset(), lambda _: openclaw)
        head = read_request(line + b" HTTP/1.1\r\nHost: " + b"b" * 26 + b".sbx.localhost:8443" + more, HeadLimits())
        decision = judge.judge(head, None, Asker(1, "192.0.2.1"))
        return self.successResultOf(Deferred.fromCoroutine(decision)) if isinstance(decision, Coroutine) else decision

    def test_address_without_secrets(self) -> None:
        """A visit with a secret in its address goes on without it, before it goes anywhere else."""
        went = self.ask(b"GET /chat?session=x&token=s3cret", NAVIGATE)
        assert isinstance(went, Redirect)
        self.assertEqual(went.location, b"/chat?session=x")
        other = self.ask(b"GET /chat?token=s3cret", NAVIGATE, openclaw=False)
        assert isinstance(other, Redirect)
        self.assertNotEqual(other.location, b"/chat")

    def test_sign_in_dialog(self) -> None:
        """The question that OpenClaw's UI asks once it was refused is answered elsewhere; its other requests are refused."""
        self.assertIsInstance(self.ask(b"HEAD /control-ui-config.json"), Redirect)
        self.assertIs(self.ask(b"GET /control-ui-config.json"), Refusal.SIGN_IN)
        self.assertIs(self.ask(b"HEAD /sw.js"), Refusal.SIGN_IN)
        self.assertIs(self.ask(b"HEAD /control-ui-config.json", openclaw=False), Refusal.SIGN_IN)
