"""How a control connection begins: the connect, and the answer to it."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw import EARLY_MESSAGES, HELLO_BYTES, ControlDialogue, Forward, Refuse
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
    passed,
    request,
)

_ODD: tuple[object, ...] = ("EVIL", "", None, True, 5, [], {}, [[]])
"""What stands where something else belongs."""


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
        self.assertIsInstance(fresh().from_sandbox(captured("hello").replace(CONNECT_ID.encode(), b"")), Refuse)
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

    def test_truth_alone_is_good(self) -> None:
        """An answer whose `ok` is anything but true lets nobody in."""
        for ok in (b"1", b'"true"', b"[1]", b"{}", b"null", b"false"):
            dialogue = connecting()
            dialogue.from_sandbox(captured("hello").replace(b'"ok":true', b'"ok":' + ok, 1))
            self.assertFalse(dialogue.connected, ok)
            self.assertIsInstance(dialogue.from_browser(request("health")), Refuse)

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
