"""What an operator's command changes reaches the streams of a daemon that is another process."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.threads import deferToThread

from coral_gate.cli.finished import finished
from coral_gate.model import SandboxId
from coral_gate.operations.operator_socket import SOCKET_NAME
from coral_gate.records import AsGate, Capacity, Sandbox
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_beside
from tests import ROOT
from tests.channels.openclaw_messages import CHALLENGE, captured, connect
from tests.integration.daemon import Daemon
from tests.integration.listening import Listening, reactor
from tests.integration.test_control_tls import OpenClaw, Page, Seen
from tests.integration.test_try_out import Browser

BOX = "z" * 26
FIRST, SECOND, THIRD = ("first-" + "1" * 26, "second" + "2" * 26, "third-" + "3" * 26)
WHY = "Under investigation; call 4711."
SCRIPT = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Content-Type": "application/json"}

SETTINGS = """
[sign_in]
built_in = true
try_out_users = ["ann"]
[keys]
master = "file:master.key"
"""
SANDBOX = """
[[sandbox]]
id = "{box}"
name = "Ann's"
app = {{ kind = "tcp", host = "127.0.0.1", port = {port} }}
owner = {{ issuer = "https://gate.localhost:@PORT@/local-issuer", subject = "ann" }}
"""


class Service(OpenClaw):
    """A sandbox that lets in whoever has the present password, and remembers which ones it was shown."""

    passwords: list[str]

    def onOpen(self) -> None:
        self.sendMessage(CHALLENGE)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        shown = json.loads(payload)["params"]["auth"]["password"]
        self.passwords.append(shown)
        self.sendMessage(captured("hello"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """It is of no interest here."""


class CutTests(Listening):
    """A daemon with one sandbox, ann in a browser, and the command."""

    timeout = 120

    async def start(self) -> None:
        """All of them; ann's page is let in."""
        self.passwords: list[str] = []
        factory: Any = WebSocketServerFactory()  # it has no types
        factory.protocol = type("Known", (Service,), {"passwords": self.passwords})
        self.folder = Path(tempfile.mkdtemp(prefix="coral-cuts-"))
        key = self.folder / "master.key"
        key.write_text(os.urandom(32).hex())
        key.chmod(0o600)
        named = SANDBOX.format(box=BOX, port=self.listen(factory))
        self.daemon = await Daemon.start(reactor, self.folder, [], SETTINGS + named)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.daemon.stop()))
        self.config = self.folder / "coral-gate.toml"
        self.place = f"{BOX}.sbx.localhost:{self.daemon.port}"
        self.origin = f"https://{self.place}"
        await self.set_password(FIRST)
        self.browser = await deferToThread(self.sign_in)
        self.page = await self.opened()

    def command(self, *words: str, said: str = "", config: Path | None = None) -> tuple[int, str, str]:
        """Run the command as an operator does."""
        program = [sys.executable, "-m", "coral_gate.cli.main", *words, "--config", str(config or self.config)]
        ran = subprocess.run(program, cwd=ROOT, input=said, capture_output=True, text=True, check=False, timeout=60)
        return ran.returncode, ran.stdout, ran.stderr

    async def set_password(self, password: str) -> str:
        """`coral-gate credential set`; what it says."""
        words = ("credential", "set", "--sandbox", BOX, "--service", "app")
        code, _, err = await deferToThread(lambda: self.command(*words, said=password))
        self.assertEqual(code, 0, err)
        return err

    def sign_in(self) -> Browser:
        """A browser of ann's that has opened the sandbox."""
        [word] = re.findall(r"one-time word: (\S+)", self.daemon.log)[-1:]
        browser, portal = Browser(self.daemon.port), f"https://gate.localhost:{self.daemon.port}"
        url, _ = browser.visit(portal + "/sign-in/start", form={"next": "/"})
        browser.visit(url, form={"user": "ann", "word": word})
        url = self.origin + "/"
        for _ in range(6):  # the way in and no further: the service here has no pages
            answer = browser.ask(url)
            url = answer.field("location")
            if "/.gate/enter" in url:
                browser.ask(url)
                return browser
        raise RuntimeError("the sandbox was not opened")

    def ticket(self) -> tuple[int, str]:
        """What the page's script is answered that asks for a ticket."""
        asking = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=20)
        fields = {"Host": self.place, "Origin": self.origin, "Cookie": self.cookie(), **SCRIPT}
        asking.request("POST", "/.gate/ticket", '{"channel":"control"}', fields)
        answer = asking.getresponse()
        body = answer.read().decode()
        asking.close()
        return answer.status, body

    def cookie(self) -> str:
        """What the browser sends to the sandbox's origin."""
        return "; ".join(f"{name}={value}" for name, value in self.browser.cookies[self.place].items())

    async def opened(self) -> Seen:
        """A page that is let in."""
        status, body = await deferToThread(self.ticket)
        self.assertEqual(status, 200, body)
        seen, ticket = Seen(), json.loads(body)["ticket"]
        factory: Any = WebSocketClientFactory(  # it has no types
            f"ws://{self.place}/", origin=self.origin, protocols=["coral.v1", f"coral.ticket.{ticket}"], headers={"Cookie": self.cookie()}
        )  # fmt: skip
        factory.protocol = type("Shown", (Page,), {"seen": seen})
        await TCP4ClientEndpoint(reactor, "127.0.0.1", self.daemon.port).connect(factory)
        await seen.until(lambda: seen.end is not None)
        seen.end.sendMessage(connect())
        await seen.until(lambda: len(seen.messages) == 2)
        return seen

    async def closed(self, page: Seen, code: int, reason: str) -> float:
        """A page is cut so, cleanly; how long that took."""
        began = reactor.seconds()
        await page.until(lambda: bool(page.closes))
        self.assertEqual(page.closes, [(True, code, reason)])
        return float(reactor.seconds() - began)

    async def test_credential(self) -> None:
        """A credential that another process sets is the daemon's from then on, told or not: the page is cut once and comes back with it."""
        await self.start()
        said = await self.set_password(SECOND)
        self.assertIn("the daemon uses it from now on", said)
        changed = "The sandbox's credential was changed; your page connects again by itself."
        await self.closed(self.page, 4409, changed)
        again = await self.opened()
        self.assertEqual(self.passwords, [FIRST, SECOND])
        (self.folder / "state" / SOCKET_NAME).unlink()  # nobody can tell the daemon any more
        said = await self.set_password(THIRD)
        self.assertIn("no daemon runs", said)
        self.assertLess(await self.closed(again, 4409, changed), 2.0)
        await self.opened()
        self.assertEqual(self.passwords, [FIRST, SECOND, THIRD])
        codes = [event["code"] for event in self.recorded() if event["type"] == "stream.closed"]
        self.assertEqual(codes, [4409, 4409])

    async def test_lock(self) -> None:
        """A locked sandbox's page is cut with the operator's words, no request passes, and unlocked it is as before."""
        await self.start()
        code, _, err = await deferToThread(self.command, "sandbox", "lock", BOX, "--why", WHY)
        self.assertEqual(code, 1)
        self.assertIn("named in the configuration", err)
        elsewhere = self.row_in_place_of_configuration()
        code, out, err = await deferToThread(lambda: self.command("sandbox", "lock", BOX, "--why", WHY, "--json", config=elsewhere))
        self.assertEqual((code, json.loads(out)), (0, {"id": BOX, "locked": WHY, "changed": True, "daemon_told": True}), err)
        await self.closed(self.page, 4403, WHY)
        status, body = await deferToThread(self.ticket)
        self.assertEqual(status, 403)
        self.assertNotIn("4711", body)
        shown = await deferToThread(self.browser.ask, f"https://gate.localhost:{self.daemon.port}/")
        self.assertIn(f"Locked: {WHY}", shown.body)
        code, _, err = await deferToThread(lambda: self.command("sandbox", "unlock", BOX, config=elsewhere))
        self.assertEqual(code, 0, err)
        page = await self.opened()
        (self.folder / "state" / SOCKET_NAME).unlink()
        code, out, _ = await deferToThread(lambda: self.command("sandbox", "lock", BOX, "--why", "Again.", config=elsewhere))
        self.assertEqual((code, out), (0, f"{BOX}  locked; no daemon runs, or it learns of it within a second\n"))
        self.assertLess(await self.closed(page, 4403, "Again."), 2.0)

    def row_in_place_of_configuration(self) -> Path:
        """A row for the sandbox, and the configuration without it: as if a driver had made it."""
        database = open_beside(self.folder / "state", datetime.now(UTC))
        stores = database_stores(database)
        [ann] = finished(stores.users.list(AsGate(Capacity.OPERATOR)))
        row = Sandbox(SandboxId(BOX), ann.id, "Ann's row", "local", "running", datetime.now(UTC))
        finished(stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))
        database.close()
        elsewhere = self.folder / "elsewhere.toml"
        elsewhere.write_text(self.config.read_text().partition("[[sandbox]]")[0])
        return elsewhere

    def recorded(self) -> list[dict[str, Any]]:
        """What the daemon has recorded."""
        return [json.loads(line)["event"] for file in sorted((self.folder / "state" / "audit").glob("*.jsonl")) for line in file.open()]
