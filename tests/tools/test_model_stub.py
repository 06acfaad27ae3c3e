"""The model that is none."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tools.demo import model_stub


def post(url: str, asked: dict[str, Any]) -> bytes:
    """What it answers."""
    request = urllib.request.Request(url + "/chat/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        read: bytes = answer.read()
        return read


class StubTests(SynchronousTestCase):
    """As a process of its own, as the demo starts it."""

    def setUp(self) -> None:
        words = [sys.executable, "-I", str(Path(model_stub.__file__))]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self) -> int:
        """It ends when its stdin does."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)

    def test_answers(self) -> None:
        """Each answer says that it is a stub's and has a nonce that no other has, in one piece and streamed alike."""
        said = json.loads(post(self.url, {"messages": []}))["choices"][0]["message"]["content"]
        events = post(self.url, {"messages": [], "stream": True}).decode().split("\n\n")
        self.assertEqual(events[-2:], ["data: [DONE]", ""])
        deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events[:-2]]
        streamed = "".join(delta.get("content", "") for delta in deltas)
        for one in (said, streamed):
            self.assertRegex(one, r"stub and no model.*nonce-[0-9a-f]{16}\b")
        self.assertNotEqual(said, streamed.strip())
        self.assertEqual(self.end(), 0)
