"""Operators of this machine ask the daemon; nobody else does, and nobody holds it up."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import ConfigError, Conflict, DriverFault
from coral_gate.operations.operator_lines import Done, Failed, Progress, Request, read_answer, request_line
from coral_gate.operations.operator_socket import (
    MOST_CONNECTIONS,
    REQUEST_S,
    WORK_S,
    OperatorConnection,
    OperatorFactory,
    Tell,
    bound,
)


class Desk(SynchronousTestCase):
    """A factory with a few operations."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.uid = os.geteuid()
        self.waiting: Deferred[Mapping[str, object]] = Deferred()
        self.done: list[str] = []
        operations = {"echo": self.echo, "wait": self.wait, "fail": self.fail_}
        self.factory = OperatorFactory(operations, self.clock, self.uid_of)

    def uid_of(self, transport: ITransport) -> int:
        """Who the kernel says it is."""
        return self.uid

    async def echo(self, given: Mapping[str, object], tell: Tell) -> Mapping[str, object]:
        """Say what was given."""
        tell("half way")
        return given

    async def wait(self, given: Mapping[str, object], tell: Tell) -> Mapping[str, object]:
        """Take long."""
        facts = await self.waiting
        self.done.append("wait")
        return facts

    async def fail_(self, given: Mapping[str, object], tell: Tell) -> Mapping[str, object]:
        """Fail in the way that was asked for."""
        raise {"fault": Conflict(), "driver": DriverFault("no disk"), "given": ValueError("Say a name."), "bug": LookupError("secret")}[
            str(given["how"])
        ]

    def connect(self) -> tuple[OperatorConnection, StringTransport]:
        """A fresh connection."""
        connection, transport = self.factory.buildProtocol(None), StringTransport()
        connection.makeConnection(transport)
        return connection, transport

    def ask(self, do: str, **given: object) -> tuple[OperatorConnection, StringTransport]:
        """A connection on which something was asked."""
        connection, transport = self.connect()
        connection.dataReceived(request_line(Request(do, given)))
        return connection, transport

    def said(self, transport: StringTransport) -> list[object]:
        """The answers so far."""
        return [read_answer(line) for line in transport.value().splitlines()]


class AnswerTests(Desk):
    """What is asked is answered."""

    def test_answered(self) -> None:
        """A request is answered with its progress and its facts, and the connection ends."""
        _, transport = self.ask("echo", x=1)
        self.assertEqual(self.said(transport), [Progress("half way"), Done({"x": 1})])
        self.assertTrue(transport.disconnecting)

    def test_split(self) -> None:
        """Any split of a request is the same request; what follows its line is nobody's."""
        line = request_line(Request("echo", {"x": "é"}))
        for at in range(len(line)):
            connection, transport = self.connect()
            connection.dataReceived(line[:at])
            connection.dataReceived(line[at:] + b'{"do":"fail"}\n')
            self.assertEqual(self.said(transport)[-1], Done({"x": "é"}))
            connection.connectionLost()

    def test_failures(self) -> None:
        """Each failure is a sentence; of one that nobody foresaw nothing leaves the log."""
        for how, sentence, word in (
            ("fault", "This does not fit the present state.", "conflict"),
            ("driver", "no disk", "driver"),
            ("given", "Say a name.", "given"),
            ("bug", "Something went wrong; the daemon's log says what.", "unforeseen"),
        ):
            connection, transport = self.ask("fail", how=how)
            self.assertEqual(self.said(transport), [Failed(sentence, word)])
            connection.connectionLost()
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        _, transport = self.ask("nothing")
        [answer] = self.said(transport)
        assert isinstance(answer, Failed)
        self.assertEqual(answer.word, "unknown-operation")


class BoundTests(Desk):
    """Who may ask, how long and how many at a time."""

    def test_other_user(self) -> None:
        """Another user of the machine is let go of before a byte is read; root may ask."""
        self.uid = os.geteuid() + 1
        _, transport = self.ask("echo")
        self.assertEqual((transport.value(), transport.disconnected), (b"", True))
        self.uid = 0
        self.assertEqual(self.said(self.ask("echo")[1])[-1], Done({}))

    def test_too_long(self) -> None:
        """A line without an end is refused at 64 KiB."""
        connection, transport = self.connect()
        for _ in range(64):
            self.assertEqual(transport.value(), b"")
            connection.dataReceived(b"x" * 1024)
        self.assertEqual(self.said(transport), [Failed("The request is too long.", "unfit-line")])

    def test_too_slow(self) -> None:
        """A request that does not arrive in time is refused, and one that reads no answer is cut."""
        connection, transport = self.connect()
        connection.dataReceived(b"{")
        self.clock.advance(REQUEST_S)
        [answer] = self.said(transport)
        assert isinstance(answer, Failed)
        self.assertEqual(answer.word, "request-too-slow")
        self.assertFalse(transport.disconnected)
        self.clock.advance(60)
        self.assertTrue(transport.disconnected)

    def test_cap(self) -> None:
        """So many at a time are served, and the next when one is gone."""
        held = [self.connect() for _ in range(MOST_CONNECTIONS)]
        self.assertTrue(self.connect()[1].disconnected)
        held[0][0].connectionLost()
        self.assertFalse(self.connect()[1].disconnected)

    def test_hung_up(self) -> None:
        """An operator who hangs up leaves their work to its end, and the room for one more is taken until then."""
        for _ in range(MOST_CONNECTIONS):
            self.ask("wait")[0].connectionLost()
        self.assertTrue(self.connect()[1].disconnected)
        self.waiting.callback({})
        self.assertIn("wait", self.done)
        self.assertFalse(self.connect()[1].disconnected)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.getTime() > self.clock.seconds() + REQUEST_S], [])

    def test_deadline(self) -> None:
        """Work that does not end is cancelled, and said to be so; the same when the daemon stops."""
        for end in (lambda: self.clock.advance(WORK_S), self.factory.stop):
            self.waiting = Deferred()
            _, transport = self.ask("wait")
            end()
            [answer] = self.said(transport)
            assert isinstance(answer, Failed)
            self.assertEqual(answer.word, "cut-short")
        self.assertEqual(self.done, [])


class SocketTests(SynchronousTestCase):
    """The socket file."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / ("long" * 30)
        self.folder.mkdir(parents=True)
        self.path = self.folder / "operator.sock"

    def test_mode(self) -> None:
        """It is for its owner alone, whatever the umask, and however long its folder's path is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        with bound(self.folder):
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_stale(self) -> None:
        """What a killed daemon left is replaced."""
        bound(self.folder).close()
        self.assertTrue(self.path.exists())
        with bound(self.folder) as listening:
            self.assertEqual(listening.family, socket.AF_UNIX)

    def test_live(self) -> None:
        """The socket of another daemon that answers is left alone, and said to be one."""
        with bound(self.folder):
            error = self.assertRaises(ConfigError, bound, self.folder)
            self.assertIn("Another daemon runs", str(error))
            self.assertTrue(self.path.is_socket())

    def test_something_else(self) -> None:
        """Nothing that is no socket is ever replaced, nor what a link points to."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.write_text("kept")
        self.path.symlink_to(elsewhere)
        self.assertIn("no socket", str(self.assertRaises(ConfigError, bound, self.folder)))
        self.assertEqual(elsewhere.read_text(), "kept")
