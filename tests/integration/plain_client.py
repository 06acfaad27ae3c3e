"""A client that blocks: one request as bytes, one answer, on a connection of its own. For tests that run in a thread."""

from __future__ import annotations

import socket

from tests.integration.answers import Answer, AnswerReader

_PATIENCE_S = 20


def ask(port: int, request: bytes) -> Answer:
    """
    Send these bytes to a loopback port and read the answer until it is whole.

    :raises Malformed: what came is none.
    :raises TimeoutError: nothing came for a while.
    """
    reader = AnswerReader([request.partition(b" ")[0]])
    with socket.create_connection(("127.0.0.1", port), _PATIENCE_S) as connection:
        connection.sendall(request)
        while not (reader.answers and reader.answers[0].complete):
            said = connection.recv(1 << 16)
            if not said:
                reader.closed()
                break
            reader.feed(said)
    return reader.answers[0]


def head(method: str, target: str, host: str, *fields: str) -> bytes:
    """A request without content."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode("latin-1")
