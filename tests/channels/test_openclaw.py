"""A control connection, message by message."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw import (
    EARLY_MESSAGES,
    HELLO_BYTES,
    PENDING,
    WATCHED_BYTES,
    Answer,
    ControlDialogue,
    Forward,
    Refuse,
    blocked_reload,
    challenge,
    connect_id,
)
from coral_gate.channels.openclaw_connect import CONNECT_BYTES
from coral_gate.channels.openclaw_frames import ID_CHARACTERS
from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9
from coral_gate.model import Secret
from tests.channels.openclaw_messages import (
    CHALLENGE,
    CONNECT_ID,
    PASSWORD,
    PUBLIC,
    answer,
    captured,
    connect,
    connected,
    connecting,
    fresh,
    hello,
    request,
)


_ODD: tuple[object, ...] = ("EVIL", "", None, True, 5, [], {}, [[]])
"""What stands where something else belongs."""


def passed(outcome: Forward | Answer | Refuse) -> dict[str, Any]:
    """What goes on, read."""
    assert isinstance(outcome, Forward), outcome
    read: dict[str, Any] = json.loads(outcome.octets)
    return read


class ConnectTests(SynchronousTestCase):
    """The browser's first message."""

    def assertRefused(self, message: bytes, code: int = 1008) -> Refuse:
        """It is refused, nothing passes afterwards, and neither reason nor answer repeats what was sent."""
        dialogue = fresh()
        outcome = dialogue.from_browser(message)
        assert isinstance(outcome, Refuse), (message, outcome)
        self.assertEqual(outcome.code, code)
        self.assertNotIn("EVIL", repr(outcome) + repr(outcome.answer))
        self.assertTrue(outcome.reason.isascii() and 0 < len(outcome.reason) <= 123)
        self.assertIsInstance(dialogue.from_browser(connect()), Refuse)
        self.assertIsInstance(dialogue.from_sandbox(CHALLENGE), Refuse)
        return outcome

    def test_signed_in(self) -> None:
        """The real page's connect goes on with our password and nothing else changed."""
        sent = passed(fresh().from_browser(connect()))
        auth = sent["params"].pop("auth")
        self.assertEqual((auth, sent), ({"password": PASSWORD}, json.loads(connect())))

    def test_other_credentials_go(self) -> None:
        """What the browser brings along under auth besides signed tokens is dropped, its password replaced."""
        brought = {"password": "EVIL", "approvalRuntimeToken": "EVIL", "x": {"token": "EVIL"}}
        sent = passed(fresh().from_browser(connect(auth=brought)))
        self.assertEqual(sent["params"]["auth"], {"password": PASSWORD})

    def test_signed_tokens(self) -> None:
        """A token that the device's signature covers is refused, whatever it is; the page is told why."""
        for name in ("token", "deviceToken", "bootstrapToken"):
            for token in _ODD:
                told = self.assertRefused(connect(auth={name: token, "password": "x"})).answer
                assert told is not None
                self.assertEqual((json.loads(told)["id"], json.loads(told)["ok"]), (CONNECT_ID, False))

    def test_role(self) -> None:
        """An operator, said or not; nothing else: OpenClaw pairs a node on loopback without asking."""
        self.assertEqual(passed(fresh().from_browser(connect(without="role")))["params"]["role"], "operator")
        for role in ("node", "worker", "Operator", "", None, ["operator"]):
            self.assertRefused(connect(role=role))

    def test_client(self) -> None:
        """The two clients that run in browsers."""
        self.assertIsInstance(fresh().from_browser(connect(client={"id": "webchat-ui"})), Forward)
        for client in ("cli", "gateway-client", "node-host", "OPENCLAW-CONTROL-UI", ["webchat-ui"], *_ODD):
            self.assertRefused(connect(client={"id": client}))
        for whole in ("openclaw-control-ui", *_ODD):
            self.assertRefused(connect(client=whole))

    def test_scopes(self) -> None:
        """Known words of an operator; not the one that shows the keys of speech services."""
        for scopes in ([], ["operator.read"]):
            self.assertIsInstance(fresh().from_browser(connect(scopes=scopes)), Forward)
        self.assertIsInstance(fresh().from_browser(connect(without="scopes")), Forward)
        for wrong in (
            ["operator.talk.secrets"],
            ["node"],
            ["operator.admin", "EVIL"],
            "operator.admin",
            {"operator.admin": 1},
            [["operator.admin"]],
            None,
        ):
            self.assertRefused(connect(scopes=wrong))

    def test_nothing_else_first(self) -> None:
        """Other requests, other types, other JSON, no JSON, and what is too long."""
        plain = connect().decode()
        for message in (
            b"",
            b"EVIL",
            b"[]",
            b'"connect"',
            b"{}",
            request("chat.send"),
            request("Connect"),
            request("connect "),
            b'{"type":"req","id":"1","method":"connect"}',
            plain.replace('"req"', '"res"').encode(),
            plain.replace('"req"', '"event"').encode(),
            plain.replace(f'"{CONNECT_ID}"', "1").encode(),
            plain.replace(CONNECT_ID, "").encode(),
            plain.replace(CONNECT_ID, "x" * (ID_CHARACTERS + 1)).encode(),
            plain.replace('"method"', '"method":"health","method"').encode(),
            plain.replace('"role"', '"auth":{},"auth":{"token":"EVIL"},"role"').encode(),
            plain.replace('"role"', '"auth":{},"\\u0061uth":{"token":"EVIL"},"role"').encode(),
            connect(auth=[]),
            connect(auth="EVIL"),
            connect(auth=None),
            b'{"type":"req","id":"1","method":"connect","params":[]}',
        ):
            self.assertRefused(message)
        self.assertRefused(connect(caps=["x" * CONNECT_BYTES]), code=1009)

    def test_one_connect(self) -> None:
        """A second connect ends the connection, before and after the hello, in every spelling."""
        for message in (connect(), connect().replace(b'"method"', b'"m\\u0065thod"'), request("connect")):
            for dialogue in (connecting(), connected()):
                self.assertIsInstance(dialogue.from_browser(message), Refuse)
                self.assertIsInstance(dialogue.from_browser(request("health")), Refuse)

    def test_secrets_are_not_shown(self) -> None:
        """No repr of the dialogue or of what it decides holds the secret; an empty one is refused."""
        dialogue = fresh()
        self.assertNotIn(PASSWORD, repr(dialogue) + repr(dialogue.from_browser(connect())) + repr(dialogue))
        self.assertRaises(ValueError, ControlDialogue, Secret(b""), PUBLIC)


class HelloTests(SynchronousTestCase):
    """The sandbox's answer to connect."""

    def test_what_passes(self) -> None:
        """Of the captured hello goes what a browser must not hold, and no more."""
        before = json.loads(captured("hello"))
        dialogue = connecting()
        self.assertIsInstance(dialogue.from_sandbox(CHALLENGE), Forward)
        after = passed(dialogue.from_sandbox(captured("hello")))
        self.assertEqual(set(after["payload"]["auth"]), {"method", "role", "scopes"})
        self.assertEqual(after["payload"]["pluginSurfaceUrls"], {"canvas": PUBLIC + "/__openclaw__/cap/" + "A" * 24})
        self.assertEqual(
            set(after["payload"]["features"]["methods"]), set(before["payload"]["features"]["methods"]) & OPENCLAW_2026_9.allowed
        )
        for gone in ("configPath", "stateDir"):
            del before["payload"]["snapshot"][gone]
        for changed in ("auth", "pluginSurfaceUrls"):
            before["payload"][changed] = after["payload"][changed]
        before["payload"]["features"]["methods"] = after["payload"]["features"]["methods"]
        self.assertEqual(before, after)
        self.assertEqual((dialogue.connected, dialogue.watching, dialogue.mismatch, dialogue.rejection), (True, False, False, ""))

    def test_no_token_in_it(self) -> None:
        """No credential of the captured hello stands anywhere in what goes on, nor a member that a later version adds to auth."""
        added = {**json.loads(captured("hello"))["payload"]["auth"], "deviceTokens": [{"token": "LATER"}], "refreshToken": "LATER"}
        outcome = connecting().from_sandbox(hello(auth=added))
        assert isinstance(outcome, Forward)
        for token in (b"DEVICE-TOKEN", b"RECOVERY-SCOPE", b"LATER", b"127.0.0.1", b"configPath", b"/var/lib/openclaw/openclaw.json"):
            self.assertNotIn(token, outcome.octets)

    def test_addresses(self) -> None:
        """Only addresses of the upstream host itself are rewritten, wherever they stand in it."""
        for url, expected in (
            ("http://127.0.0.1:18789", PUBLIC),
            ("https://127.0.0.1:18789/x?y#z", PUBLIC + "/x?y#z"),
            ("ws://127.0.0.1:18789/x", "wss" + PUBLIC.removeprefix("https") + "/x"),
            ("http://127.0.0.1:187890/x", "http://127.0.0.1:187890/x"),
            ("http://127.0.0.1:18789.evil.example/", "http://127.0.0.1:18789.evil.example/"),
            ("http://127.0.0.1:18789@evil.example/", "http://127.0.0.1:18789@evil.example/"),
            ("http://evil.example/http://127.0.0.1:18789/", "http://evil.example/http://127.0.0.1:18789/"),
            ("see http://127.0.0.1:18789/", "see http://127.0.0.1:18789/"),
        ):
            after = passed(connecting().from_sandbox(hello(pluginSurfaceUrls={"x": url}, controlUiUrl=url, deep=[{"a": [url]}])))
            self.assertEqual(after["payload"]["pluginSurfaceUrls"]["x"], expected)
            self.assertEqual((after["payload"]["controlUiUrl"], after["payload"]["deep"]), (expected, [{"a": [expected]}]))

    def test_bad_hello(self) -> None:
        """What is no hello of an operator ends the connection with the sandbox's fault."""
        for message in (
            answer(CONNECT_ID, None),
            answer(CONNECT_ID, []),
            answer(CONNECT_ID, {}),
            hello(type="hello"),
            hello(auth=None),
            hello(auth={}),
            hello(auth={"role": "node"}),
            captured("hello").replace(b'"type":"hello-ok"', b'"type":"hello-ok","type":"hello-ok"'),
        ):
            outcome = connecting().from_sandbox(message)
            assert isinstance(outcome, Refuse), message
            self.assertEqual((outcome.code, outcome.word), (1014, "sandbox-hello"))

    def test_before_its_time(self) -> None:
        """Until the connect is answered, events pass and no answer to anything else, none to what was not asked."""
        event = b'{"type":"event","event":"tick","payload":{}}'
        for dialogue in (fresh(), connecting()):
            self.assertEqual(dialogue.from_sandbox(event), Forward(event))
            self.assertTrue(dialogue.watching)
        self.assertIsInstance(fresh().from_sandbox(captured("hello")), Refuse)
        for message in (
            answer("other", {}),
            captured("hello").replace(CONNECT_ID.encode(), b"2"),
            b'{"type":"event"}',
            b'{"type":"event","event":5}',
            b'{"type":"req"}',
            b'{"type":"event","event":"x","event":"y"}',
            b"x",
            b"",
            b"[" * 100_000,
            b'{"type":"event","event":"' + b"x" * HELLO_BYTES + b'"}',
        ):
            dialogue = connecting()
            outcome = dialogue.from_sandbox(message)
            assert isinstance(outcome, Refuse), message[:100]
            self.assertEqual(outcome.code, 1014)
            self.assertIsInstance(dialogue.from_sandbox(captured("hello")), Refuse)

    def test_events_without_end(self) -> None:
        """Their count is bounded until the hello."""
        dialogue = connecting()
        for _ in range(EARLY_MESSAGES):
            self.assertIsInstance(dialogue.from_sandbox(CHALLENGE), Forward)
        self.assertIsInstance(dialogue.from_sandbox(CHALLENGE), Refuse)

    def test_our_secret_refused(self) -> None:
        """The caller learns that the sandbox did not take our secret; the page is told to stop, in our words."""
        for code in ("AUTH_PASSWORD_MISMATCH", "AUTH_TOKEN_MISMATCH", "AUTH_RATE_LIMITED"):
            dialogue = connecting()
            told = passed(dialogue.from_sandbox(captured("mismatch").replace(b"AUTH_PASSWORD_MISMATCH", code.encode())))
            self.assertEqual((dialogue.mismatch, dialogue.rejection, dialogue.connected), (True, code, False))
            self.assertEqual((told["id"], told["ok"], told["error"]["details"]["code"]), (CONNECT_ID, False, code))
            self.assertNotIn("enter the password", told["error"]["message"])
            self.assertIsInstance(dialogue.from_browser(request("health")), Refuse)
            self.assertIsInstance(dialogue.from_sandbox(captured("hello")), Refuse)

    def test_other_rejections(self) -> None:
        """Another refusal passes as it is and says nothing about our secret; what code it has is one we know, or "OTHER"."""
        for code, known in (("PROTOCOL_MISMATCH", "PROTOCOL_MISMATCH"), ("AUTH_" + PASSWORD[:5].upper(), "OTHER"), ("", "OTHER")):
            dialogue = connecting()
            message = captured("mismatch").replace(b"AUTH_PASSWORD_MISMATCH", code.encode()).replace(b"INVALID_REQUEST", b"x")
            self.assertEqual(passed(dialogue.from_sandbox(message)), json.loads(message))
            self.assertEqual((dialogue.mismatch, dialogue.rejection), (False, known))
        for error in ({"code": 5, "details": []}, {"code": [], "details": {"code": {}}}, *_ODD):
            dialogue = connecting()
            self.assertTrue(
                passed(dialogue.from_sandbox(json.dumps({"type": "res", "id": CONNECT_ID, "ok": False, "error": error}).encode()))
            )
            self.assertEqual(dialogue.rejection, "OTHER")

    def test_no_secret_in_it(self) -> None:
        """A hello, an event or a refusal that holds the secret does not pass, however it is spelled."""
        spelled = "".join(f"\\u{ord(character):04x}" for character in PASSWORD)
        for text in (PASSWORD, spelled, PASSWORD[:4] + spelled[24:], "x" + PASSWORD + "x"):
            for message in (
                captured("hello").replace(b"main", text.encode()),
                CHALLENGE.replace(b"208c", text.encode()),
                captured("mismatch").replace(b"unauthorized", text.encode()).replace(b"AUTH_PASSWORD_MISMATCH", b"X"),
                CHALLENGE.replace(b"nonce", text.encode()),
            ):
                outcome = connecting().from_sandbox(message)
                assert isinstance(outcome, Refuse), message
                self.assertEqual(outcome.word, "credential-leak")
                self.assertNotIn(PASSWORD, repr(outcome))


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
