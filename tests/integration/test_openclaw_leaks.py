"""OpenClaw's password is nowhere but where it belongs: every byte that a client gets, and every byte that the daemon keeps."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from coral_gate.channels.openclaw_frames import ID_CHARACTERS
from tests.integration.browser.house import THEIRS
from tests.integration.claw_ways import ClawWays, Socket
from tests.integration.plain_client import ask, head
from tools.demo.check.browser import Closed

_PATHS = (
    "/ /index.html /chat /chat/main /settings/connection /settings/secrets /config /logs /debug /plugins/geolocation /sw.js"
    " /manifest.webmanifest /favicon.svg /asset-manifest.json /control-ui-config.json /avatar/main /api/users/self/avatar"
    " /__openclaw__/workspace-icon/main /__openclaw__/assistant-media /media/inbound/x /api/artifacts/download/x /.gate/tickets.js"
    " /.gate/enter /tools/invoke /v1/models /__openclaw__/canvas/x /healthz /nowhere /%2f"
)
_METHODS = (
    "config.get config.schema logs.tail health status system.info system-presence models.list models.authStatus channels.status"
    " hooks.status agents.list skills.status sessions.list chat.history node.list usage.status cron.list plugins.list"
    " plugin.surface.refresh audit.list users.self users.list tts.status update.status device.pair.list secrets.resolve"
    " terminal.open gateway.identity.get"
)
_ASSET = re.compile(rb'(?:src|href)="\.?(/assets/[^"]+)"')


def _forms(secret: bytes) -> dict[str, list[bytes]]:
    """How a secret may be written; of base64, what does not depend on what stands around it."""
    aligned = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + secret + bytes(3))
        first = -(-before * 8 // 6)
        aligned.append(whole[first : (before + len(secret)) * 8 // 6])
    text = secret.decode()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
    percent = "".join(f"%{octet:02x}" for octet in secret)
    return {
        "raw": [secret],
        "hexadecimal": [secret.hex().encode(), secret.hex().upper().encode()],
        "base64": aligned,
        "base64url": [one.translate(bytes.maketrans(b"+/", b"-_")) for one in aligned],
        "percent": [percent.encode(), percent.upper().encode()],
        "escapes": [escaped.encode(), escaped.upper().replace("\\U", "\\u").encode()],
    }


def _spelled(secret: bytes) -> dict[str, bytes]:
    """Copies, each in one way, as a careless program would write them; made without `_forms`."""
    text = secret.decode()
    copies = {
        "raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode(),
        "percent": "".join(f"%{ord(one):02X}" for one in text).encode(), "escapes": "".join(f"\\u{ord(one):04x}" for one in text).encode(),
    }  # fmt: skip
    for around in (b"", b"a", b"ab"):
        copies[f"base64 after {len(around)}"] = base64.b64encode(around + secret + b":tail")
        copies[f"base64url after {len(around)}"] = base64.urlsafe_b64encode(around + secret + b":tail").rstrip(b"=")
    return copies


def found(secret: bytes, where: bytes) -> list[str]:
    """In which forms a secret stands there."""
    return [name for name, forms in _forms(secret).items() if any(form in where for form in forms)]


class LeakTests(ClawWays):
    """A whole session, and then a search."""

    def test_nowhere(self) -> None:
        """In none of six forms does the password stand in what a client received, in the daemon's log, audit log, files or process."""
        secret = self.house.claw.password.encode()
        cookie = self.fresh_guest()
        token = cookie.partition("=")[2].encode()
        places: dict[str, Callable[[], bytes]] = {
            "what a client received over HTTP": self._http,
            "what a client received over WebSockets": self._sockets,
            "the daemon's log": lambda: self.house.log.encode(),
            "the audit log": lambda: self.house.audited().encode(),
            "the state directory": self._files,
            "the daemon's process": self._process,
        }
        seen = {name: read() for name, read in places.items()}
        for name, octets in seen.items():
            self.assertGreater(len(octets), 100, name)
            for how, copy in _spelled(secret).items():  # the search can find it there
                planted = octets[: len(octets) // 2] + copy + octets[len(octets) // 2 :]
                self.assertTrue(found(secret, planted), f"the search is blind to {how} in {name}")
        for name, octets in seen.items():
            self.assertEqual(found(secret, octets), [], name)
            if "client" not in name:
                self.assertNotIn(token, octets, name)
        self.assertIn(b"__OPENCLAW_REDACTED__", seen["what a client received over WebSockets"])
        self.assertEqual(found(secret, self.house.tap.everything), ["raw"])  # where it belongs

    def test_sent_all_the_same(self) -> None:
        """OpenClaw sends its password in an answer, in any of these forms: the gate ends the connection, and the page does not get it."""
        secret = self.house.claw.password.encode()
        straight, _ = self.straight_page()
        for how, copy in _spelled(secret).items():
            if how == "escapes" or len(copy) > ID_CHARACTERS:  # JSON would escape those once more
                continue
            asking = json.dumps({"type": "req", "id": copy.decode(), "method": "health", "params": {}})  # the answer has that id
            straight.heard.clear()
            straight.send(asking)
            while straight.told().get("id") != copy.decode():
                pass
            self.assertTrue(found(secret, bytes(straight.heard)), how)
            page, _ = self.page()
            page.send(asking)
            closed = self._to_the_end(page)
            self.assertIn("its own credential", str(closed), how)
            self.assertEqual(found(secret, bytes(page.heard)), [], how)

    def test_secrets_in_addresses(self) -> None:
        """No ticket, session, code or password that is put into an address or a Referer is logged, or goes on."""
        cookie = self.fresh_guest()
        session, ticket = cookie.partition("=")[2], self.ticket(cookie)
        for value in (session, ticket, self.house.claw.password):
            for target in (f"/?token={value}", f"/chat/main?password={value}", f"/.gate/enter?code={value}", f"/{value}"):
                self.through("GET", target, f"Referer: https://{self.host()}/?token={value}", cookie=cookie)
            portal = urlsplit(self.house.portal).netloc
            ask(self.house.plain_port, head("GET", f"/sign-in/callback?code={value}&state={value}", portal))
            written = (self.house.log + self.house.audited()).encode()
            self.assertEqual(found(value.encode(), written), [])
        asked = [line for line in self.house.tap.everything.split(b"\r\n") if line.startswith(b"GET ")]
        self.assertEqual(set(asked), {b"GET / HTTP/1.1"})
        self.assertIn(b"session.opened", self.house.audited().encode())

    # -- where to look -------------------------------------------------------------------------------------------------

    def _http(self) -> bytes:
        """Every answer, by every path, with its head."""
        paths = _PATHS.split() + [one.decode() for one in _ASSET.findall(bytes(self.through("GET", "/").body))]
        kept = bytearray()
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                answer = self.through(method, path, f"Origin: {self.house.sandbox(THEIRS)}", "Referer: https://x.example/")
                kept += b"%d\n" % answer.status
                kept += b"".join(b"%b: %b\n" % one for one in answer.fields) + answer.body
        return bytes(kept)

    def _sockets(self) -> bytes:
        """Everything that came on a page's connection, one that was refused, and one that OpenClaw refuses."""
        page, _ = self.page()
        for method in _METHODS.split():
            page.answer(method, {})
        refused = self.through_socket()
        self.connect(auth={"token": "x"}).to(refused)
        unsigned = self.through_socket()
        self.connect(key=None).to(unsigned)
        for socket in (refused, unsigned):
            self._to_the_end(socket)
        return bytes(page.heard + refused.heard + unsigned.heard)

    def _to_the_end(self, socket: Socket) -> Closed:
        try:
            while True:
                socket.receive()
        except Closed as closed:
            return closed

    def _files(self) -> bytes:
        """Every file of the daemon's own: the database with its log, keys, certificates, the audit log."""
        folder = self.house.folder / "state"
        return b"\n".join(one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file())

    def _process(self) -> bytes:
        """Its command line and its environment (proc(5))."""
        [pid] = [one for one in Path("/proc").iterdir() if one.name.isdigit() and self._is_daemon(one)]
        return (pid / "cmdline").read_bytes() + b"\n" + (pid / "environ").read_bytes()

    def _is_daemon(self, process: Path) -> bool:
        try:
            return b"coral-gate.toml" in (process / "cmdline").read_bytes() and (process / "cwd").readlink() == self.house.folder
        except OSError:
            return False
