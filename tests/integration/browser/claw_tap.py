"""What reaches OpenClaw: a forwarder in front of it that keeps every byte that comes for it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Final

from attrs import define, field

_ROOM = 1 << 16
_SHORT_BYTES: Final = 126
_LONG_BYTES: Final = 127
_BINARY: Final = 2


@define(eq=False)
class Tap:
    """
    Forwards loopback connections to another loopback port.

    :ivar port: where it listens, once started.
    :ivar said: what came on each connection, oldest first.
    """

    to_port: int
    port: int = field(init=False)
    said: list[bytearray] = field(factory=list, init=False)
    _server: socket.socket = field(init=False)

    def start(self) -> None:
        """Listen."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        self._server.close()

    def forget(self) -> None:
        """Begin anew with what was said; connections that are open for further requests are heard on."""
        self.said[:] = [one for one in self.said if b"upgrade: websocket" not in bytes(one).lower()]
        for one in self.said:
            one.clear()

    @property
    def everything(self) -> bytes:
        """All that came, with the messages in WebSocket frames unmasked, behind it."""
        return b"\n".join([*map(bytes, self.said), *self.messages()])

    def messages(self) -> list[bytes]:
        """The content of each frame of data that came, over all WebSockets."""
        return [content for one in self.said for content in _frames(bytes(one))]

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            kept = bytearray()
            self.said.append(kept)
            try:
                far = socket.create_connection(("127.0.0.1", self.to_port))
            except OSError:
                near.close()
                continue
            threading.Thread(target=_pump, args=(near, far, kept), daemon=True).start()
            threading.Thread(target=_pump, args=(far, near, None), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
    try:
        while octets := source.recv(_ROOM):
            if kept is not None:
                kept += octets
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            end.close()


def _frames(said: bytes) -> Iterator[bytes]:
    """The unmasked content of the frames behind a head that upgrades (RFC 6455 §5.2)."""
    head, _, rest = said.partition(b"\r\n\r\n")
    if b"upgrade: websocket" not in head.lower():
        return
    while len(rest) > 1:
        size, at = rest[1] & 0x7F, 2
        if size == _SHORT_BYTES:
            size, at = struct.unpack(">H", rest[2:4])[0], 4
        elif size == _LONG_BYTES:
            size, at = struct.unpack(">Q", rest[2:10])[0], 10
        mask, content = rest[at : at + 4], rest[at + 4 : at + 4 + size]
        if rest[0] & 0x0F <= _BINARY:
            yield bytes(octet ^ mask[n % 4] for n, octet in enumerate(content))
        rest = rest[at + 4 + size :]
