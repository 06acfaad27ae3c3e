"""The demo's processes: a model, the gate, and through it the sandbox."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tools import openclaw
from tools.demo import model_stub
from tools.demo.place import CannotRun, chosen_port, configuration, private

READY_S = 60.0
STOP_S = 40.0
_WORD = re.compile(r"one-time word: (\S+)")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} …", end=" ", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - began:.1f} s", flush=True)


class Demo:
    """
    Everything that runs.

    :param state: the folder that it keeps its state in.
    :param model_url: a model that is there; empty starts the stub, unless the environment has OPENAI_API_KEY.
    :param another_port: take another port where the usual one is in use.
    """

    def __init__(self, state: Path, model_url: str, model: str, another_port: bool) -> None:
        self.state = state
        self.log = state / "gate.log"
        self.config = state / "coral-gate.toml"
        self.sandbox = ""
        self.stubbed = False
        self._model_url, self._model, self._another_port = model_url, model, another_port
        self._stub: subprocess.Popen[str] | None = None
        self._gate: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def origin(self) -> str:
        """The portal's."""
        return f"https://gate.localhost:{self.port}"

    @property
    def sandbox_origin(self) -> str:
        """The sandbox's."""
        return f"https://{self.sandbox}.sbx.localhost:{self.port}"

    def begin(self) -> None:
        """
        Start everything; when this returns the sandbox answers.

        :raises CannotRun: something did not start.
        """
        openclaw.install()
        self.port = chosen_port(self._another_port)
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with step("Writing the configuration"):
            self._configure()
        with step("Starting the gate"):
            self._start_gate()
        with step("Making the sandbox"):
            self.sandbox = self._made()
        with step("Starting OpenClaw in it"):
            self.ask("sandbox", "start", self.sandbox)

    def _configure(self) -> None:
        url, model, key = self._model_url, self._model, os.environ.get("OPENAI_API_KEY", "")
        if not url and key:
            url = "https://api.openai.com/v1"
        if not url:
            url, model, key = self._start_stub(), model_stub.NAME, ""
        file = private(self.state / "model.key", key + "\n") if key else None
        private(self.config, configuration(self.state, self.port, url, model, file))
        if not (self.state / "master.key").exists():
            self.ask("keys", "init", str(self.state / "master.key"), configured=False)

    def _start_stub(self) -> str:
        self.stubbed = True
        words = [sys.executable, "-I", model_stub.__file__]
        self._stub = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._stub.stdout is not None
        return self._stub.stdout.readline().strip()

    def _start_gate(self) -> None:
        words = [str(Path(sys.executable).with_name("coral-gate")), "run", "--config", str(self.config)]
        environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
        with self.log.open("wb") as log:
            os.chmod(self.log, 0o600)  # it holds the one-time word
            self._gate = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._until(lambda: "ready: portal" in self.said() and bool(_WORD.search(self.said())), READY_S, "The gate did not start")

    def _until(self, there: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        until = time.monotonic() + limit_s
        while not there():
            if not self.running() or time.monotonic() > until:
                raise CannotRun(f"{self.said()[-2000:]}\n{otherwise}; {self.log} has all of what it said.")
            time.sleep(0.1)

    def _made(self) -> str:
        there = [one for one in json.loads(self.ask("sandbox", "list", "--json"))["sandboxes"] if one["driver"] == "local"]
        if there:
            return str(there[0]["id"])
        issuer = f"{self.origin}/local-issuer"
        self.ask("user", "allow", "--issuer", issuer, "--subject", "owner")
        made = json.loads(self.ask("sandbox", "create", "--owner", issuer, "owner", "--name", "Try-out", "--json"))
        return str(made["id"])

    def ask(self, *words: str, configured: bool = True) -> str:
        """
        Run one verb of `coral-gate`; what it printed.

        :raises CannotRun: it failed.
        """
        command = [str(Path(sys.executable).with_name("coral-gate")), *words, *(["--config", str(self.config)] if configured else [])]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            verb = f"coral-gate {' '.join(words[:2])}"
            raise CannotRun(f"{ran.stderr}{ran.stdout}\n{verb} failed with {ran.returncode}; see also {self.log}.")
        return ran.stdout

    def said(self) -> str:
        """What the gate has said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def word(self) -> str:
        """The one-time word that signs in now."""
        return str(_WORD.findall(self.said())[-1])

    def running(self) -> bool:
        """Whether the gate runs."""
        return self._gate is not None and self._gate.poll() is None

    def end(self, quiet: bool = False) -> None:
        """Stop everything; nothing runs when this returns, whatever else is typed meanwhile."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self._gate is not None and self.running():
            with nullcontext() if quiet else step("\nStopping"):
                self._gate.send_signal(signal.SIGTERM)
                try:
                    self._gate.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    self._gate.kill()  # the sandbox's keeper ends the rest
                    self._gate.wait()
        if self._stub is not None and self._stub.stdin is not None:
            self._stub.stdin.close()
            self._stub.wait()
