"""
A house with a real OpenClaw in the first sandbox: its own unmodified Control UI, used in Chromium through the gate.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import define, field

from tests import ROOT
from tests.integration.browser.claw_tap import Tap
from tests.integration.browser.house import MINE, SECOND, THEIRS, House
from tests.integration.daemon import free_port
from tools.openclaw import NODE, OPENCLAW

_READY_S = 120
_LETTERS = string.ascii_letters + string.digits


@define(eq=False)
class Model:
    """
    What OpenClaw takes for a language model: it answers each turn with a word that nobody has asked for.

    :ivar word: the latest.
    """

    port: int = field(init=False)
    word: str = field(default="", init=False)
    says: str | None = None
    _server: ThreadingHTTPServer = field(init=False)

    def start(self) -> None:
        """Serve on loopback."""
        model = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                self.answer(b'{"object":"list","data":[{"id":"echo","object":"model"}]}', "application/json")

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.word = "nonce-" + secrets.token_hex(6)
                said = f"{model.says or 'I hear you.'} {model.word}"
                if not asked.get("stream"):
                    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                    whole = {"id": "1", "object": "chat.completion", "model": "echo", "choices": [choice]}
                    self.answer(json.dumps(whole).encode(), "application/json")
                    return
                parts: list[dict[str, object]] = [{"role": "assistant", "content": word + " "} for word in said.split()]
                lines = [_chunk(part, None) for part in parts] + [_chunk({}, "stop"), "data: [DONE]\n\n"]
                self.answer("".join(lines).encode(), "text/event-stream")

            def answer(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def _chunk(delta: dict[str, object], finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return "data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", "model": "echo", "choices": [choice]}) + "\n\n"


@define(eq=False)
class OpenClaw:
    """
    A real OpenClaw.

    :ivar password: what its gateway accepts.
    """

    folder: Path
    model_port: int
    port: int = field(factory=free_port)
    password: str = field(factory=lambda: "".join(secrets.choice(_LETTERS) for _ in range(43)))
    _process: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        """Write its configuration; a running one takes over a new password by itself."""
        models = [{"id": "echo", "name": "Echo", "reasoning": False, "input": ["text"], "contextWindow": 128000, "maxTokens": 4096,
                   "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]  # fmt: skip
        provider = {"baseUrl": f"http://127.0.0.1:{self.model_port}/v1", "apiKey": "sk-none", "api": "openai-completions", "models": models}
        told = {
            "gateway": {
                "mode": "local", "bind": "loopback", "port": self.port, "auth": {"mode": "password", "password": self.password},
                "terminal": {"enabled": False},
            },
            "models": {"mode": "merge", "providers": {"stub": provider}},
            "agents": {"defaults": {"model": {"primary": "stub/echo"}}},
        }  # fmt: skip
        file = self.folder / "openclaw.json"
        fresh = self.folder / "openclaw.json.new"
        fresh.write_text(json.dumps(told))
        fresh.chmod(0o600)
        fresh.rename(file)

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self.configure()
        environment = {
            "PATH": os.pathsep.join([str(NODE.parent), "/usr/bin", "/bin"]), "HOME": str(self.folder / "home"),
            "OPENCLAW_STATE_DIR": str(self.folder), "OPENCLAW_CONFIG_PATH": str(self.folder / "openclaw.json"),
            "OPENCLAW_SKIP_CHANNELS": "1", "OPENCLAW_SKIP_CRON": "1", "OPENCLAW_DISABLE_BONJOUR": "1", "OPENCLAW_NO_RESPAWN": "1",
            "NODE_COMPILE_CACHE": str(self.folder / "compiled"),
        }  # fmt: skip
        (self.folder / "home").mkdir(exist_ok=True)
        words = [str(NODE), str(OPENCLAW), "gateway", "run", "--port", str(self.port), "--bind", "loopback"]
        log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        until = time.monotonic() + _READY_S
        while not self._ready():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("OpenClaw did not start:\n" + (self.folder / "log").read_text(errors="replace")[-4000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """End it and all that it started."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(json.load(answer).get("ready"))
        except (OSError, ValueError):
            return False


@define(eq=False)
class ClawHouse(House):
    """
    The house, with OpenClaw in alice's first sandbox, and the same one in her second, which has no password for it, and in mallory's.

    :ivar tap: on the way to the last two.
    """

    model: Model = field(factory=Model)
    claw: OpenClaw = field(init=False)
    tap: Tap = field(init=False)

    def start(self) -> None:
        """Start everything; ready when this returns."""
        self.model.start()
        claw = self.folder / "claw"
        claw.mkdir()
        self.claw = OpenClaw(claw, self.model.port)
        self.claw.start()
        self.tap = Tap(self.claw.port)
        self.tap.start()
        super().start()

    def stop(self) -> None:
        """End everything."""
        self.claw.stop()
        super().stop()
        self.tap.stop()
        self.model.stop()

    def coral_gate(self, *words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """An operator's command."""
        command = [str(Path(sys.executable).with_name("coral-gate")), *words, "--config", "coral-gate.toml"]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=self.folder, input=told, env=environment, capture_output=True, check=True, timeout=60)

    def give_password(self, sandbox: str = MINE, password: str = "") -> None:
        """Tell the gate what OpenClaw accepts, or something else."""
        told = (password or self.claw.password).encode()
        self.coral_gate("credential", "set", "--sandbox", sandbox, "--service", "app", told=told)

    def _start_daemon(self) -> None:
        key = self.folder / "master.key"
        words = [str(Path(sys.executable).with_name("coral-gate")), "keys", "init", str(key)]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})
        super()._start_daemon()
        self.give_password()
        self.give_password(THEIRS)

    def _configuration(self, app: int) -> str:
        first, *tables = super()._configuration(app).split("[[sandbox]]\n")
        for name, port in ((MINE, self.claw.port), (SECOND, self.tap.port), (THEIRS, self.tap.port)):
            [at] = [at for at, table in enumerate(tables) if table.startswith(f'id = "{name}"')]
            tables[at] = tables[at].replace(f"port = {app}", f"port = {port}").replace('speaks = "http"\n', "")
        return "[[sandbox]]\n".join([first + '[keys]\nmaster = "file:master.key"\n', *tables])


@functools.cache
def claw_house() -> ClawHouse:
    """The one such house of this process; it ends with the process."""
    built = ClawHouse(Path(tempfile.mkdtemp(prefix="coral-claw-")))
    atexit.register(built.stop)
    built.start()
    return built
