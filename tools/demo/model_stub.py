"""
A model that is none: answers chat completions with a sentence and a number that it has just drawn.

For trying out without an account anywhere. `python3 model_stub.py` listens on a free port of 127.0.0.1, prints one line with its
address, and ends when its stdin does, so with whoever started it. Nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "stub"
LARGEST_BYTES = 64 * 1024 * 1024


def sentence() -> str:
    """An answer with a nonce: who sees it knows that the request came here and the answer came back."""
    return f"This is a stub and no model. It has drawn nonce-{secrets.token_hex(8)} for this answer."


def _frame(choice: dict[str, Any], kind: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "stub", "object": kind, "created": 0, "model": NAME, "choices": [{"index": 0, **choice}], "usage": usage}


def whole(text: str) -> bytes:
    """An answer in one piece."""
    message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps(_frame(message, "chat.completion")).encode()


def streamed(text: str) -> Iterator[bytes]:
    """The same answer as events, a word each."""
    for word in text.split(" "):
        choice = {"delta": {"role": "assistant", "content": word + " "}, "finish_reason": None}
        yield b"data: " + json.dumps(_frame(choice, "chat.completion.chunk")).encode() + b"\n\n"
    yield b"data: " + json.dumps(_frame({"delta": {}, "finish_reason": "stop"}, "chat.completion.chunk")).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


class Stub(BaseHTTPRequestHandler):
    """One connection."""

    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing."""

    def do_GET(self) -> None:
        """The list of models: one."""
        self._answer("application/json", json.dumps({"object": "list", "data": [{"id": NAME, "object": "model"}]}).encode())

    def do_POST(self) -> None:
        """A completion, streamed where that was asked for."""
        length = self.headers.get("Content-Length", "")
        if not self.path.endswith("/chat/completions") or not length.isdecimal() or int(length) > LARGEST_BYTES:
            self.send_error(404)
            return
        try:
            asked = json.loads(self.rfile.read(int(length)))
            stream = bool(asked.get("stream"))
        except (ValueError, AttributeError):
            self.send_error(400)
            return
        if stream:
            self._answer("text/event-stream", *streamed(sentence()))
        else:
            self._answer("application/json", whole(sentence()))

    def _answer(self, kind: str, *parts: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()  # HTTP/1.0: the end of the connection ends the answer
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()


def main() -> None:
    """Serve until stdin ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    while os.read(sys.stdin.fileno(), 4096):
        pass


if __name__ == "__main__":
    main()
