"""A control connection once it is open, and the messages that the gate writes itself."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw import PENDING, WATCHED_BYTES, Answer, Forward, Refuse, blocked_reload, challenge, connect_id
from coral_gate.channels.openclaw_connect import CONNECT_BYTES
from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9
from tests.channels.openclaw_messages import (
    CONNECT_ID,
    PASSWORD,
    PUBLIC,
    answer,
    captured,
    connect,
    connected,
    connecting,
    passed,
    request,
)


class RequestTests(SynchronousTestCase):
    """What the browser asks once it is connected."""

    def test_the_same_bytes(self) -> None:
        """An allowed request goes on as it came, its spelling too."""
        for message in (
            request("chat.send", {"message": "é \ud800"}),
            b' {"method" :"h\\u0065alth", "id":"1","type":"req","more":[1.0]}\n',
        ):
            self.assertEqual(connected().from_browser(message).octets, message)  # type: ignore[union-attr]  # any other fails the test

    def test_somebody_acts(self) -> None:
        """Sending a message is a person's doing; listing is a page's."""
        for method, acts in (("chat.send", True), ("sessions.list", False)):
            self.assertEqual(connected().from_browser(request(method)), Forward(request(method), acts))

    def test_blocked(self) -> None:
        """What is in no table is answered in the protocol, told for the record, and the connection stays."""
        dialogue = connected()
        for message, method in (
            (request("portal.open"), "portal.open"),
            (b'{"type":"req","id":"7","m\\u0065thod":"terminal.open"}', "terminal.open"),
            (b'{"type":"req","id":"7","method":"config\\u002epatch"}', "config.patch"),
            (request("chat.send "), "?"),
            (request("CHAT.SEND"), "CHAT.SEND"),
            (request("chat.send\x00"), "?"),
            (request("<b>"), "?"),
            (request("\ud800"), "?"),
        ):
            outcome = dialogue.from_browser(message)
            assert isinstance(outcome, Answer), message
            told = {
                "type": "res",
                "id": "7",
                "ok": False,
                "error": {"code": "INVALID_REQUEST", "message": f"blocked by the gate: {method}"},
            }
            self.assertEqual((json.loads(outcome.octets), outcome.method, outcome.word), (told, method, "method-blocked"))
        self.assertIsInstance(dialogue.from_browser(request("health")), Forward)

    def test_broken(self) -> None:
        """What two readers could read differently, and what is no request, ends the connection."""
        for message in (
            b'{"type":"req","id":"7","method":"health","method":"portal.list"}',
            b'{"type":"req","id":"7","method":"portal.list","m\\u0065thod":"health"}',
            b'{"type":"req","id":"7","method":"health","params":{"a":1,"a":2}}',
            b"x",
            b"[]",
            b'{"type":"res","id":"7","method":"health"}',
            request("health", request_id=""),
            b'{"type":"req","id":7,"method":"health"}',
            b'{"type":"req","id":"7","method":["health"]}',
            b'{"type":"req","id":"7"}',
            request("x" * 129),
            b'{"type":"req","id":"7","method":"health","params":' + b"[" * 100 + b"]" * 100 + b"}",
        ):
            dialogue = connected()
            self.assertIsInstance(dialogue.from_browser(message), Refuse, message)
            self.assertFalse(dialogue.connected)
            self.assertIsInstance(dialogue.from_browser(request("health")), Refuse)

    def test_too_early(self) -> None:
        """Between connect and hello a request is answered that it may come again, and does not go on."""
        dialogue = connecting()
        outcome = dialogue.from_browser(request("health"))
        assert isinstance(outcome, Answer)
        self.assertEqual((json.loads(outcome.octets)["error"]["retryable"], outcome.word), (True, "too-early"))
        self.assertIsInstance(dialogue.from_sandbox(captured("hello")), Forward)
        self.assertIsInstance(dialogue.from_browser(request("health")), Forward)


class WatchedTests(SynchronousTestCase):
    """Answers with addresses in them."""

    def test_refresh(self) -> None:
        """The captured answer's address is rewritten, and only while it is awaited are messages looked at."""
        dialogue = connected()
        self.assertFalse(dialogue.watching)
        self.assertIsInstance(dialogue.from_browser(request("plugin.surface.refresh", {"surface": "canvas"}, "ps")), Forward)
        self.assertTrue(dialogue.watching)
        other = answer("7", {"url": "http://127.0.0.1:18789/"})
        self.assertEqual(dialogue.from_sandbox(other), Forward(other))
        self.assertEqual(
            passed(dialogue.from_sandbox(captured("refresh")))["payload"]["pluginSurfaceUrls"],
            {"canvas": PUBLIC + "/__openclaw__/cap/" + "B" * 24},
        )
        self.assertFalse(dialogue.watching)

    def test_descriptors(self) -> None:
        """The plugins' descriptors hold addresses and a list of methods."""
        dialogue = connected()
        sent = json.loads(captured("descriptors"))
        dialogue.from_browser(request("plugins.uiDescriptors", request_id=sent["id"]))
        after = passed(dialogue.from_sandbox(captured("descriptors")))["payload"]
        self.assertEqual(after["pluginSurfaceUrls"], {"canvas": PUBLIC + "/__openclaw__/cap/" + "C" * 24})
        self.assertEqual(set(after["methods"]), set(sent["payload"]["methods"]) & OPENCLAW_2026_9.allowed)
        self.assertEqual(after["descriptors"], sent["payload"]["descriptors"])

    def test_what_else_comes(self) -> None:
        """Errors, events, what is no JSON and what is too long pass; only an awaited answer ends the watch."""
        dialogue = connected()
        dialogue.from_browser(request("board.get", request_id="b"))
        for message in (
            b"x",
            b'{"type":"event","event":"b","id":"b"}',
            b'{"id":"b","id":"b","type":"res"}',
            answer("b", {"x": "y" * WATCHED_BYTES}),
            b'{"type":"res","id":["b"]}',
        ):
            self.assertEqual(dialogue.from_sandbox(message), Forward(message))
            self.assertTrue(dialogue.watching)
        failed = b'{"type":"res","id":"b","ok":false,"error":{"code":"X"}}'
        self.assertEqual(dialogue.from_sandbox(failed), Forward(failed))
        self.assertFalse(dialogue.watching)

    def test_no_secret_in_it(self) -> None:
        """An awaited answer that holds the secret does not pass."""
        dialogue = connected()
        dialogue.from_browser(request("board.get", request_id="b"))
        self.assertIsInstance(dialogue.from_sandbox(answer("b", {"x": PASSWORD})), Refuse)
        self.assertFalse(dialogue.connected)

    def test_how_many(self) -> None:
        """So many answers are awaited and no more; the browser is told to wait, and other methods go on."""
        dialogue = connected()
        for number in range(PENDING):
            self.assertIsInstance(dialogue.from_browser(request("board.get", request_id=str(number))), Forward)
        outcome = dialogue.from_browser(request("board.get", request_id="more"))
        assert isinstance(outcome, Answer)
        self.assertEqual(outcome.word, "too-many")
        self.assertIsInstance(dialogue.from_browser(request("health")), Forward)
        self.assertIsInstance(dialogue.from_sandbox(answer("5", {})), Forward)
        self.assertIsInstance(dialogue.from_browser(request("board.get", request_id="more")), Forward)


class OwnMessageTests(SynchronousTestCase):
    """What the gate writes in OpenClaw's protocol."""

    def test_reload(self) -> None:
        """The answer that makes a page reload itself, in the shape that it looks for."""
        self.assertEqual(connect_id(connect()), CONNECT_ID)
        for other in (b"", request("health"), connect(caps=["x" * CONNECT_BYTES])):
            self.assertIsNone(connect_id(other))
        told = json.loads(blocked_reload(CONNECT_ID))
        self.assertEqual((told["type"], told["id"], told["ok"]), ("res", CONNECT_ID, False))
        details = {"code": "CONTROL_UI_BUILD_MISMATCH", "gatewayBuildId": "coral-gate", "reloadRequired": True}
        self.assertEqual(told["error"]["details"], details)

    def test_challenge(self) -> None:
        """The event that a gateway begins with."""
        event = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1795367678246}}
        self.assertEqual(json.loads(challenge("n", 1795367678246)), event)
