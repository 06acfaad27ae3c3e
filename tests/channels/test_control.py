"""OpenClaw's own UI through the gate: opening, judging, scrubbing, ending."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.control_stream import BEAT_S
from coral_gate.channels.websocket_frames import BINARY, PING, TEXT, close_frame, frame
from coral_gate.errors import AuditUnavailable, TooMany, UpstreamUnreachable
from coral_gate.model import ChannelKind, CloseCode, Secret, ServiceName
from tests.channels.control_table import MASK, Table, encodings
from tests.channels.openclaw_messages import PASSWORD, answer, captured, connect, request
from tests.edge.bench import HOST, SANDBOX, lose

ORIGIN = b"https://" + HOST.removeprefix(b"Host: ")


class ControlTests(SynchronousTestCase):
    """A table at which a browser and a sandbox sit."""

    def setUp(self) -> None:
        """Nobody has said anything yet."""
        self.table = Table()

    def refused(self, status: bytes) -> None:
        """The browser is refused over HTTP, and no stream is left."""
        self.assertTrue(self.table.wire.take().startswith(b"HTTP/1.1 " + status), status)
        self.assertTrue(self.table.wire.closed)
        self.assertEqual(len(self.table.streams.closes), len(self.table.streams.entries))

    def over(self, code: int) -> None:
        """Both ends are closed, the browser with this code."""
        (*_, last) = self.table.hears()
        assert isinstance(last, tuple), last
        self.assertEqual(last[0], code)
        self.assertTrue(self.table.wire.closed and self.table.sandbox.closed)
        self.assertEqual(self.table.streams.closes, [code])


class OpeningTests(ControlTests):
    """Before 101."""

    def test_way(self) -> None:
        """The ticket is spent, the sandbox dialled, and only then 101 said, with the subprotocol and never the ticket."""
        self.table.ask()
        self.assertEqual(self.table.tickets.spent, [(b"good", SANDBOX, ChannelKind.CONTROL, ORIGIN)])
        self.assertEqual(self.table.wire.value(), b"")
        self.table.sandbox_answers()
        said = self.table.wire.take()
        self.assertTrue(said.startswith(b"HTTP/1.1 101 ") and said.endswith(b"\r\n\r\n"))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: coral.v1\r\n", said)
        self.assertNotIn(b"good", said)

    def test_asked_of_sandbox(self) -> None:
        """The sandbox is asked with a host and an origin on its loopback: no cookie, no ticket, no address, nothing of the browser's."""
        self.table.ask(b"coral.v1, coral.ticket.good", b"X-Forwarded-For: 127.0.0.1", b"Authorization: Bearer x", b"User-Agent: mine")
        line, fields = self.table.asked_of_sandbox()
        self.assertEqual(line, b"GET / HTTP/1.1")
        self.assertEqual(
            set(fields), {b"host", b"origin", b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key"}
        )
        self.assertEqual((fields[b"host"], fields[b"origin"]), (b"127.0.0.1:18789", b"http://127.0.0.1:18789"))

    def test_ticket_once(self) -> None:
        """A ticket opens one socket; brought again it is refused over HTTP, and the sandbox is not dialled."""
        self.table.opened()
        self.table.another_browser()
        self.table.ask()
        self.refused_second()

    def refused_second(self) -> None:
        """The second socket is refused."""
        self.assertTrue(self.table.wire.take().startswith(b"HTTP/1.1 403 "))
        self.assertEqual(len(self.table.bench.link.wires), 1)

    def test_bad_tickets(self) -> None:
        """No ticket beside the subprotocol, two, an unknown one, or something else beside it: refused before the sandbox is dialled."""
        for more in (b"", b", coral.ticket.bad", b", coral.ticket.good, coral.ticket.other", b", other", b", coral.ticket.good, other",
                     b", coral.ticket.", b", good"):  # fmt: skip
            offered = b"coral.v1" + more
            self.table.another_browser()
            self.table.ask(offered)
            self.refused(b"403 ")
        self.assertEqual(self.table.bench.link.wires, [])

    def test_no_handshake(self) -> None:
        """What is no proper handshake is refused before a ticket is spent."""
        for field in (b"Sec-WebSocket-Version: 13", b"Content-Length: 5"):
            self.table.another_browser()
            self.table.ask(b"coral.v1, coral.ticket.good", field)
            self.assertTrue(self.table.wire.take().startswith(b"HTTP/1.1 4"), field)
        self.assertEqual(self.table.tickets.spent, [])

    def test_unreachable(self) -> None:
        """A sandbox that is not there is 502, and the stream is taken out again."""
        self.table.bench.link.refusing = UpstreamUnreachable()
        self.table.ask()
        self.refused(b"502 ")
        self.assertEqual(self.table.streams.closes, [0])

    def test_sandbox_refuses(self) -> None:
        """A sandbox that answers otherwise than with a right 101 is 502."""
        for said in (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"junk\r\n\r\n",
                     b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"):  # fmt: skip
            self.table.tickets.good.add(b"good")
            self.table.another_browser()
            self.table.ask()
            self.table.sandbox_sends(said)
            self.refused(b"502 ")
            self.assertTrue(self.table.sandbox.closed)

    def test_sandbox_silent(self) -> None:
        """A sandbox that does not answer in time is 504."""
        self.table.ask()
        self.table.bench.pass_time(10)
        self.refused(b"504 ")
        self.assertTrue(self.table.sandbox.closed)

    def test_browser_gone(self) -> None:
        """A browser that goes meanwhile leaves nothing open."""
        self.table.ask()
        lose(self.table.connection, ConnectionDone())
        self.assertTrue(self.table.sandbox.closed)
        self.assertEqual(self.table.streams.closes, [0])

    def test_no_credential(self) -> None:
        """Without a credential nothing is dialled, and the sentence says what to do."""
        self.table.vault._secrets.clear()
        self.table.ask()
        self.assertIn(b"no credential", self.table.wire.value())
        self.refused(b"502 ")
        self.assertEqual(self.table.bench.link.wires, [])

    def test_unusable_credential(self) -> None:
        """With a credential that is no text, or too short to be looked for, nothing is entered or dialled; the log has nothing of it."""
        owner = next(iter(self.table.vault._secrets))[0]
        for secret in (b"\xff" * 20, b"short"):
            self.table.vault.put(owner, SANDBOX, ServiceName.APP, Secret(secret))
            self.table.channel.credentials.drop(SANDBOX)
            self.table.tickets.good.add(b"good")
            self.table.another_browser()
            self.table.ask()
            self.assertIn(b"has to change it", self.table.wire.value())
            self.refused(b"503 ")
        self.assertEqual((self.table.bench.link.wires, self.table.streams.entries), ([], []))

    def test_not_registered(self) -> None:
        """What cannot be entered or recorded is not opened."""
        for fault, status in ((TooMany(), b"429 "), (AuditUnavailable(), b"503 ")):
            self.table.tickets.good.add(b"good")
            self.table.streams.refusing = fault
            self.table.another_browser()
            self.table.ask()
            self.refused(status)
        self.assertEqual(self.table.bench.link.wires, [])

    def test_half_open(self) -> None:
        """Only so many may wait to be let in, which OpenClaw has to bear for everybody; being let in, or ending, makes room."""
        self.table.tickets.good = {b"%d" % number for number in range(40)}

        def ask(number: int) -> bytes:
            self.table.another_browser()
            self.table.ask(b"coral.v1, coral.ticket.%d" % number)
            if not self.table.wire.value():
                self.table.sandbox_answers()
            return bytes(self.table.wire.value()[9:12])

        self.assertEqual([ask(number) for number in range(17)], [b"101"] * 16 + [b"429"])
        self.table.streams.entries[3].cut(4401, "You signed out.")
        self.assertEqual([ask(20), ask(21)], [b"101", b"429"])
        self.table.channel.let_in(self.table.streams.entries[5])
        self.assertEqual([ask(22), ask(23)], [b"101", b"429"])

    def test_cut_meanwhile(self) -> None:
        """A stream that is cut while it is being opened ends as it begins, with the reason."""
        self.table.ask()
        self.table.streams.entries[0].cut(4401, "You signed out.")
        self.table.sandbox_answers()
        said = self.table.wire.take()
        self.assertTrue(said.endswith(close_frame(4401, "You signed out.")), said)
        self.assertTrue(self.table.wire.closed and self.table.sandbox.closed)
        self.assertEqual(self.table.streams.closes, [4401])


class OldTabTests(ControlTests):
    """A page that was loaded without the gate's script."""

    def test_told_to_reload(self) -> None:
        """It gets a challenge and, for its connect, the answer that makes it load itself anew; no sandbox hears of it."""
        self.table.ask(None)
        self.table.wire.take()
        self.table.says(connect())
        told: list[Any] = self.table.hears()
        self.assertEqual(told[0]["error"]["details"]["code"], "CONTROL_UI_BUILD_MISMATCH")
        self.assertTrue(told[0]["error"]["details"]["reloadRequired"])
        self.assertEqual(told[1][0], 1008)
        self.assertEqual((self.table.bench.link.wires, self.table.streams.entries, self.table.tickets.spent), ([], [], []))

    def test_challenged(self) -> None:
        """The challenge comes at once: the page waits for it before it connects."""
        self.table.ask(None)
        head, _, rest = self.table.wire.take().partition(b"\r\n\r\n")
        self.assertNotIn(b"Sec-WebSocket-Protocol", head)
        self.assertIn(b"connect.challenge", rest)

    def test_says_something_else(self) -> None:
        """Anything but a connect ends it without an answer."""
        for octets in (frame(TEXT, request("chat.send"), mask=MASK), frame(TEXT, b"{", mask=MASK), b"\x81\x00"):
            self.table.another_browser()
            self.table.ask(None)
            self.table.wire.take()
            self.table.sends(octets)
            (told,) = self.table.hears()
            assert isinstance(told, tuple)
            self.assertIn(told[0], (1002, 1008))

    def test_bounded(self) -> None:
        """Silent ones end by themselves, and only so many are there at one time."""
        for _ in range(64):
            self.table.another_browser()
            self.table.ask(None)
        self.table.another_browser()
        self.table.ask(None)
        self.refused(b"403 ")
        self.assertEqual(self.table.channel.old_tabs, 64)
        self.table.bench.pass_time(20)
        self.assertEqual(self.table.channel.old_tabs, 0)


class JudgedTests(ControlTests):
    """What the browser says."""

    def test_password(self) -> None:
        """The sandbox gets its password in the first message; the browser never sees it, in the hello neither."""
        self.table.opened()
        self.table.says(connect())
        (said,) = self.table.sandbox_hears()
        assert isinstance(said, dict)
        self.assertEqual(said["params"]["auth"], {"password": PASSWORD})
        self.table.sandbox_says(captured("hello"))
        heard = self.table.wire.take()
        for secret in encodings(PASSWORD):
            self.assertNotIn(secret, heard)
        self.assertIn(b"hello-ok", heard)
        self.assertNotIn(b"deviceToken", heard)

    def test_same_bytes(self) -> None:
        """An allowed request goes on with the very same bytes, masked anew."""
        self.table.connected()
        message = b'{ "type":"req","id":"1", "method" : "chat.send", "params":{"message":"\\u00e9"}}'
        self.table.says(message)
        sent = self.table.sandbox.value()
        self.assertEqual(self.table.sandbox_hears(), [json.loads(message)])
        self.assertNotIn(message, sent, "toward a server each frame is masked")

    def test_blocked(self) -> None:
        """A method that the table does not allow is answered here and recorded; the socket stays."""
        self.table.connected()
        for method in ("terminal.open", "device.pair.setupCode", "attach.grant", "portal.open", "config.patch", "no.such.method"):
            self.table.says(request(method, request_id=method))
            ((said,), nothing) = (self.table.hears(), self.table.sandbox_hears())
            assert isinstance(said, dict)
            self.assertEqual((said["id"], said["ok"], nothing), (method, False, []))
        refused = [(event.reason, event.method) for event in self.table.refused_messages()]
        self.assertIn(("method-blocked", "attach.grant"), refused)
        self.table.says(request("chat.history"))
        self.assertEqual(len(self.table.sandbox_hears()), 1)

    def test_fragments(self) -> None:
        """A method in pieces is judged whole."""
        self.table.connected()
        message = request("terminal.open")
        for number, octet in enumerate(message):
            last = number == len(message) - 1
            self.table.sends(frame(0 if number else TEXT, bytes([octet]), mask=MASK, fin=last))
        self.assertEqual((len(self.table.hears()), self.table.sandbox_hears()), (1, []))

    def test_refused_often(self) -> None:
        """Refusals beyond some are counted, not recorded each."""
        self.table.connected()
        for _ in range(100):
            self.table.says(request("terminal.open"))
        recorded = self.table.refused_messages()
        self.assertEqual(len(recorded), 32)

    def test_first_message(self) -> None:
        """Anything but a connect first ends it; the sandbox hears nothing of it."""
        for message in (request("chat.send"), b"{}", b"\xff"):
            self.table.tickets.good.add(b"good")
            self.table.another_browser()
            self.table.opened()
            self.table.says(message)
            (*_, told) = self.table.hears()
            assert isinstance(told, tuple)
            self.assertIn(told[0], (1008, 1007))
            self.assertEqual([one for one in self.table.sandbox_hears() if isinstance(one, dict)], [])

    def test_own_credentials(self) -> None:
        """A browser that brings a credential of its own is told why, and nothing goes on."""
        self.table.opened()
        self.table.says(connect(auth={"token": "mine"}))
        heard = self.table.hears()
        self.assertEqual(len(heard), 2, heard)
        self.assertEqual([one for one in self.table.sandbox_hears() if isinstance(one, dict)], [])

    def test_binary(self) -> None:
        """This channel takes text alone."""
        self.table.connected()
        self.table.sends(frame(BINARY, b"x", mask=MASK))
        self.over(1003)

    def test_sizes(self) -> None:
        """64 KiB before the sandbox has let the browser in, 8 MiB afterwards; the header alone is enough to refuse."""
        self.table.opened()
        self.table.sends(b"\x81\xff" + (64 * 1024 + 1).to_bytes(8) + MASK)
        self.over(1009)
        self.table = Table()
        self.table.connected()
        self.table.says(request("chat.send", {"message": "x" * 1_000_000}))
        self.assertEqual(len(self.table.sandbox_hears()), 1)
        self.table.sends(b"\x81\xff" + (8 * 1024 * 1024 + 1).to_bytes(8) + MASK)
        self.over(1009)

    def test_unmasked(self) -> None:
        """A frame that is not masked is no browser's."""
        self.table.connected()
        self.table.sends(frame(TEXT, request("chat.send")))
        self.over(1002)

    def test_ping(self) -> None:
        """A ping is answered here."""
        self.table.connected()
        self.table.sends(frame(PING, b"?", mask=MASK))
        self.assertEqual((self.table.hears(), self.table.sandbox_hears()), (["pong"], []))

    def test_activity(self) -> None:
        """What a person does keeps the session; what a page asks by itself does not."""
        self.table.connected()
        entry = self.table.streams.entries[0]
        self.table.bench.clock.advance(7)
        self.table.says(request("chat.history"))
        self.assertEqual(entry.active_at, 0.0)
        self.table.says(request("chat.send"))
        self.assertEqual(entry.active_at, self.table.bench.clock.seconds())


class SandboxTests(ControlTests):
    """What the sandbox says."""

    def test_passes(self) -> None:
        """Frames pass as they came, in pieces too."""
        self.table.connected()
        octets = frame(TEXT, b'{"type":"event"', fin=False) + frame(0, b',"event":"tick"}') + frame(TEXT, b'"' + b"x" * 70000 + b'"')
        for octet in range(0, len(octets), 1000):
            self.table.sandbox_sends(octets[octet : octet + 1000])
        self.assertEqual(self.table.hears(), [{"type": "event", "event": "tick"}, "x" * 70000])
        whole = frame(TEXT, b"[", fin=False) + frame(0, b"", fin=False) + frame(0, b"]")
        self.table.sandbox_sends(whole)
        self.assertEqual(self.table.wire.take(), whole, "frames that came whole are as they came")

    def test_cut_inside_a_frame(self) -> None:
        """In the middle of the sandbox's longest frame too the browser hears why it ends."""
        self.table.connected()
        octets = frame(TEXT, b'"' + b"x" * 70000 + b'"')
        for octet in (1, 5, 11, 30000):
            self.table.sandbox_sends(octets[:octet])
            octets = octets[octet:]
        self.table.streams.entries[0].cut(CloseCode.SESSION_ENDED, "You signed out.")
        self.assertEqual(self.table.hears(), [(4401, "You signed out.")])

    def test_leak(self) -> None:
        """Its own credential in any of six encodings, in whatever pieces: kept back, the stream closed, and recorded."""
        for secret in encodings(PASSWORD):
            for cut in (1, 7, 1000):
                table = self.table = Table()
                table.connected()
                octets = frame(TEXT, b'{"type":"event","event":"log","payload":"' + b"x" * 90 + secret + b'"}')
                for start in range(0, len(octets), cut):
                    table.sandbox_sends(octets[start : start + cut])
                self.assertNotIn(secret, table.wire.value())
                self.over(1008)
                self.assertIn("credential-leak", [event.reason for event in table.refused_messages()])

    def test_leak_over_messages(self) -> None:
        """The end of one message and the beginning of the next do not hide it."""
        self.table.connected()
        half = len(PASSWORD) // 2
        self.table.sandbox_sends(frame(TEXT, PASSWORD[:half].encode(), fin=False) + frame(0, PASSWORD[half:].encode()))
        self.over(1008)

    def test_leak_in_reason(self) -> None:
        """Neither does the reason of a close."""
        self.table.connected()
        self.table.sandbox_sends(close_frame(1008, PASSWORD))
        self.over(1008)

    def test_mismatch(self) -> None:
        """A password that the sandbox does not take is not sent again, until it is another or a minute has passed."""
        self.table.opened()
        self.table.says(connect())
        self.table.sandbox_says(captured("mismatch"))
        self.assertEqual(self.table.vault.dropped, [SANDBOX])
        self.table.tickets.good.add(b"good")
        self.table.another_browser()
        self.table.ask()
        self.assertIn(b"does not accept", self.table.wire.value())
        self.refused_over_http()

    def refused_over_http(self) -> None:
        """The browser is refused, and the sandbox was dialled once."""
        self.assertTrue(self.table.wire.take().startswith(b"HTTP/1.1 503 "))
        self.assertEqual(len(self.table.bench.link.wires), 1)

    def test_credential_changed(self) -> None:
        """When it says that its password has changed, the next stream reads it anew; the browser hears the sandbox's own code."""
        self.table.connected()
        self.table.sandbox_sends(close_frame(4001, "gateway auth changed"))
        self.assertEqual(self.table.hears(), [(4001, "gateway auth changed")])
        self.assertEqual(self.table.vault.dropped, [SANDBOX])

    def test_protocol(self) -> None:
        """A sandbox that breaks the protocol is left."""
        for octets in (frame(TEXT, b"x", mask=MASK), b"\xf1\x00", b"\x83\x00", b"\x00\x00", b"\x88\x01x", b"\x88\x02\x03\xed"):
            self.table = Table()
            self.table.connected()
            self.table.sandbox_sends(octets)
            self.over(1014)

    def test_too_long(self) -> None:
        """A message beyond the limit is refused by its header; before the hello the limit is lower."""
        self.table.opened()
        self.table.sandbox_sends(b"\x81\x7f" + (4 * 1024 * 1024 + 1).to_bytes(8))
        self.over(1009)
        self.table = Table()
        self.table.connected()
        self.table.sandbox_sends(b"\x81\x7f" + (32 * 1024 * 1024 + 1).to_bytes(8))
        self.over(1009)

    def test_ping(self) -> None:
        """A ping is answered here, and not passed on."""
        self.table.connected()
        self.table.sandbox_sends(frame(PING, b"?"))
        self.assertEqual((self.table.sandbox_hears(), self.table.hears()), (["pong"], []))

    def test_answers_between(self) -> None:
        """The gate's own answer waits for the end of a message that the sandbox is sending."""
        self.table.connected()
        self.table.sandbox_sends(frame(TEXT, b'"a', fin=False))
        self.table.says(request("terminal.open", request_id="9"))
        self.table.sandbox_sends(frame(0, b'b"'))
        first, second = self.table.hears()
        assert isinstance(second, dict)
        self.assertEqual((first, second["id"]), ("ab", "9"))

    def test_waiting_bounded(self) -> None:
        """Not too many may wait."""
        self.table.connected()
        self.table.sandbox_sends(frame(TEXT, b'"a', fin=False))
        for _ in range(300):
            self.table.says(request("terminal.open"))
        self.assertEqual(self.table.streams.closes, [1008])

    def test_refresh(self) -> None:
        """Addresses of the sandbox's surfaces become those of its own origin."""
        self.table.connected()
        self.table.says(request("plugin.surface.refresh", {"surface": "canvas"}, "r1"))
        whole = json.loads(captured("refresh"))
        self.table.sandbox_says(answer("r1", whole["payload"]))
        self.assertNotIn(b"127.0.0.1", self.table.wire.take())


class EndTests(ControlTests):
    """How it ends."""

    def test_codes(self) -> None:
        """Codes and reasons go both ways as they were said."""
        self.table.connected()
        self.table.sandbox_sends(close_frame(1012, "service restart"))
        self.assertEqual(self.table.hears(), [(1012, "service restart")])
        self.table = Table()
        self.table.connected()
        self.table.closes(3999, "bye")
        self.assertEqual((self.table.sandbox_hears(), self.table.hears()), ([(3999, "bye")], [(3999, "")]))
        self.assertTrue(self.table.wire.closed and self.table.sandbox.closed)
        self.assertEqual(self.table.streams.closes, [3999])

    def test_no_code(self) -> None:
        """A close without a code is answered without one."""
        self.table.connected()
        self.table.closes(None)
        self.assertEqual((self.table.sandbox_hears(), self.table.hears()), ([(None, "")], [(None, "")]))

    def test_cut(self) -> None:
        """A cut reaches the browser with its code and reason, never as a broken connection; the sandbox is closed too."""
        self.table.connected()
        self.table.streams.entries[0].cut(CloseCode.SESSION_ENDED, "You signed out.")
        self.assertEqual(self.table.hears(), [(4401, "You signed out.")])
        self.assertEqual(self.table.sandbox_hears(), [(1001, "")])
        self.assertTrue(self.table.wire.closed and self.table.sandbox.closed and not self.table.wire.aborted)
        self.table.streams.entries[0].cut(CloseCode.FORBIDDEN, "again")
        lose(self.table.connection, ConnectionDone())
        self.assertEqual(self.table.streams.closes, [4401])

    def test_nothing_after(self) -> None:
        """After the end nothing goes either way."""
        self.table.connected()
        self.table.streams.entries[0].cut(CloseCode.SESSION_ENDED, "You signed out.")
        self.table.hears()
        self.table.sandbox_hears()
        self.table.says(request("chat.send"))
        self.table.sandbox_says(b"{}")
        self.assertEqual((self.table.wire.take(), self.table.sandbox.take()), (b"", b""))

    def test_browser_lost(self) -> None:
        """A browser that is gone ends it at the sandbox."""
        self.table.connected()
        lose(self.table.connection, ConnectionLost())
        self.assertEqual((self.table.sandbox_hears(), self.table.streams.closes), ([(1001, "")], [1006]))
        self.assertTrue(self.table.sandbox.closed)

    def test_sandbox_lost(self) -> None:
        """A sandbox that is gone without a word is said to be."""
        self.table.connected()
        lose(self.table.bench.link.protocols[-1], ConnectionLost())
        self.assertEqual(self.table.hears(), [(1012, "The sandbox's service has gone away.")])
        self.assertEqual(self.table.streams.closes, [1012])

    def test_leaving(self) -> None:
        """When the daemon stops the browser is told to connect anew."""
        self.table.connected()
        self.table.bench.door.leave()
        self.over(4409)


class TimeTests(ControlTests):
    """Back-pressure and deadlines."""

    def test_beats(self) -> None:
        """Each end is asked whether it is there; those that answer stay for as long as they like."""
        self.table.connected()
        for _ in range(20):
            self.table.bench.pass_time(BEAT_S + 1)
            self.assertIn("ping", self.table.hears())
            self.assertIn("ping", self.table.sandbox_hears())
            self.table.sends(frame(0xA, b"", mask=MASK))
            self.table.sandbox_sends(frame(0xA, b""))
        self.assertEqual(self.table.streams.closes, [])

    def test_browser_silent(self) -> None:
        """A browser that answers nothing any more is closed with a reason."""
        self.table.connected()
        for _ in range(5):
            self.table.bench.pass_time(BEAT_S + 1)
            self.table.sandbox_sends(frame(0xA, b""))
        self.over(4408)

    def test_sandbox_silent(self) -> None:
        """So is one whose sandbox answers nothing any more."""
        self.table.connected()
        for _ in range(5):
            self.table.bench.pass_time(BEAT_S + 1)
            if not self.table.streams.closes:
                self.table.sends(frame(0xA, b"", mask=MASK))
        self.over(4408)

    def test_never_connected(self) -> None:
        """Whoever is not let in within the time for it has to go."""
        self.table.opened()
        for _ in range(3):
            self.table.bench.pass_time(BEAT_S + 1)
            if not self.table.streams.closes:
                self.table.sends(frame(0xA, b"", mask=MASK))
                self.table.sandbox_sends(frame(0xA, b""))
        self.over(4408)

    def test_browser_full(self) -> None:
        """While the browser takes nothing the sandbox is not read, and nobody is blamed for silence."""
        self.table.connected()
        self.table.wire.fill()
        self.assertEqual(self.table.sandbox.producerState, "paused")
        self.table.wire.drain()
        self.assertEqual(self.table.sandbox.producerState, "producing")

    def test_sandbox_full(self) -> None:
        """While the sandbox takes nothing the browser is not read."""
        self.table.connected()
        self.table.sandbox.fill()
        self.assertEqual(self.table.wire.producerState, "paused")
        self.table.sandbox.drain()
        self.assertEqual(self.table.wire.producerState, "producing")

    def test_nothing_before_start(self) -> None:
        """What the sandbox sends before the browser has its answer waits."""
        self.table.ask()
        self.table.sandbox_answers(frame(TEXT, b'{"type":"event","event":"connect.challenge"}'))
        said = self.table.wire.take()
        self.assertLess(said.index(b"101"), said.index(b"connect.challenge"))

    def test_counts(self) -> None:
        """Bytes are counted both ways."""
        self.table.connected()
        entry = self.table.streams.entries[0]
        sent, received = entry.sent_bytes, entry.received_bytes
        self.table.sandbox_says(b"{}")
        self.table.says(request("chat.send"))
        self.assertEqual(entry.sent_bytes - sent, 4)
        self.assertEqual(entry.received_bytes - received, 6 + len(request("chat.send")))
