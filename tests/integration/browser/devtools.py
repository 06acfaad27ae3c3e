"""
A headless Chromium, driven over the DevTools protocol through a pipe: no port, no driver, no library between.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

Told = dict[str, Any]
"""A JSON object as the protocol has it."""

PATIENCE_S = 15.0
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
    "--disable-breakpad", "--mute-audio", "--window-size=1100,800", "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
)  # fmt: skip


class BrowserFault(Exception):
    """The browser refused a command, a script threw, or what was waited for did not come."""


@define(eq=False)
class Chromium:
    """
    One browser process.

    :param spki: the SHA-256 digests, in Base64, of public keys that it takes for trusted.
    """

    program: str
    spki: tuple[str, ...]
    tabs: dict[str, list[Told]] = field(factory=dict, init=False)
    _process: subprocess.Popen[bytes] = field(init=False)
    _profile: str = field(init=False)
    _out: int = field(init=False)
    _in: int = field(init=False)
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector, init=False)
    _buffer: bytearray = field(factory=bytearray, init=False)
    _replies: dict[int, Told] = field(factory=dict, init=False)
    _asked: int = 0

    def start(self) -> None:
        """Start it, with a profile of its own."""
        self._profile = tempfile.mkdtemp(prefix="coral-chromium-")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        words = [self.program, *_FLAGS, f"--user-data-dir={self._profile}"]
        words.append("--ignore-certificate-errors-spki-list=" + ",".join(self.spki))

        def place() -> None:  # the browser reads from 3 and writes to 4
            first, second = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(words, preexec_fn=place, close_fds=False, stdin=quiet, stdout=quiet, stderr=quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self._selector.register(self._in, selectors.EVENT_READ)
        self.call("Target.setDiscoverTargets", discover=True)

    def stop(self) -> None:
        """End it, and forget its profile."""
        os.close(self._out)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        os.close(self._in)
        shutil.rmtree(self._profile, ignore_errors=True)

    # -- asking --------------------------------------------------------------------------------------------------------

    def call(self, method: str, session: str = "", **params: object) -> Told:
        """
        A command, and its result.

        :raises BrowserFault: it was refused.
        """
        self._asked += 1
        number = self._asked
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        self.wait(lambda: number in self._replies, f"an answer to {method}")
        reply = self._replies.pop(number)
        if "error" in reply:
            raise BrowserFault(f"{method}: {reply['error'].get('message')}")
        result: Told = reply["result"]
        return result

    def wait(self, there: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
        """
        Read what the browser says until something is there.

        :raises BrowserFault: it did not come.
        """
        until = time.monotonic() + within_s
        while not there():
            left = until - time.monotonic()
            if left <= 0:
                raise BrowserFault(f"{what} did not come within {within_s} s")
            self.listen(left)

    def listen(self, most_s: float) -> None:
        """Read once what the browser says, waiting so long at most."""
        if not self._selector.select(most_s):
            return
        said = os.read(self._in, 1 << 20)
        if not said:
            raise BrowserFault("the browser has ended")
        self._buffer += said
        *messages, rest = self._buffer.split(b"\0")
        self._buffer = bytearray(rest)
        for message in messages:
            self._take(json.loads(message))

    def _take(self, told: Told) -> None:
        if "id" in told:
            self._replies[told["id"]] = told
        else:
            self.tabs.setdefault(told.get("sessionId", ""), []).append(told)
