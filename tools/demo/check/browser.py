"""What a browser does, as far as the walk needs it: cookies by host, redirects, forms, WebSockets. Blocking, and for this machine alone."""

from __future__ import annotations

import base64
import http.client
import os
import re
import secrets
import socket
import ssl
import struct
from html import unescape
from urllib.parse import urlencode, urlsplit

WAIT_S = 60.0
_UNCHECKED = ssl._create_unverified_context()  # noqa: S323  # the certificate was made by the gate itself, a moment ago


class Closed(Exception):
    """
    A WebSocket was closed.

    :ivar code: the close code; 1006 where the connection just ended.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code = code


class _Connection(http.client.HTTPSConnection):
    """Dials this machine whatever the name is."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        self.sock = _UNCHECKED.wrap_socket(plain, server_hostname=self.host)


class Answer:
    """One answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.fields = response.getheaders()
        self.body = response.read().decode("utf-8", "replace")

    def field(self, name: str) -> str:
        """A field's first value, or nothing."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")


class Browser:
    """Keeps cookies by host and goes where it is sent."""

    def __init__(self) -> None:
        self._jars: dict[str, dict[str, str]] = {}

    def cookies(self, authority: str) -> str:
        """The Cookie field for a host."""
        return "; ".join(f"{name}={value}" for name, value in self._jars.get(authority, {}).items())

    def ask(self, url: str, method: str = "GET", body: str | None = None, **fields: str) -> Answer:
        """One request."""
        parts = urlsplit(url)
        sent = {"Host": parts.netloc, "Accept": "text/html", "Cookie": self.cookies(parts.netloc)}
        sent |= {name.replace("_", "-"): value for name, value in fields.items()}
        connection = _Connection(parts.hostname or "", parts.port)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {name: value for name, value in sent.items() if value})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        self._keep(parts.netloc, answer)
        return answer

    def _keep(self, authority: str, answer: Answer) -> None:
        jar = self._jars.setdefault(authority, {})
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, content = pair.partition("=")
                jar.pop(key, None)
                if "max-age=0" not in attributes.lower():
                    jar[key] = content

    def visit(self, url: str, form: dict[str, str] | None = None) -> tuple[str, Answer]:
        """Go somewhere, or send a form there, and on to where that leads."""
        parts = urlsplit(url)
        if form is None:
            answer = self.ask(url)
        else:
            kind = "application/x-www-form-urlencoded"
            answer = self.ask(url, "POST", urlencode(form), Origin=f"https://{parts.netloc}", Content_Type=kind)
        for _ in range(12):
            onwards = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', answer.body)
            location = answer.field("location") or (unescape(onwards[1]) if onwards else "")
            if not location:
                return url, answer
            url = location if "://" in location else f"https://{urlsplit(url).netloc}{location}"
            answer = self.ask(url)
        raise RuntimeError("it goes round in circles")


class WebSocket:
    """A client's end of RFC 6455, for text."""

    def __init__(self, origin: str, cookies: str, subprotocols: list[str]) -> None:
        parts = urlsplit(origin)
        plain = socket.create_connection(("127.0.0.1", parts.port or 443), WAIT_S)
        self._socket = _UNCHECKED.wrap_socket(plain, server_hostname=parts.hostname)
        self._read = b""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\nOrigin: {origin}\r\nCookie: {cookies}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._read:
            self._fill()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(f"the upgrade was answered with {head.split(chr(13).encode())[0].decode()}")

    def _fill(self) -> None:
        more = self._socket.recv(65536)
        if not more:
            raise Closed(1006, "")
        self._read += more

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._fill()
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def send(self, text: str, opcode: int = 1) -> None:
        """Send a message."""
        octets, mask = text.encode(), os.urandom(4)
        size = len(octets)
        length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size) if size < 65536 else struct.pack(">BQ", 0xFF, size)
        masked = bytes(octet ^ mask[at % 4] for at, octet in enumerate(octets))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self) -> str:
        """
        The next text message.

        :raises Closed: there is none any more.
        """
        whole = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            size = struct.unpack(">H", self._take(2))[0] if size == 126 else struct.unpack(">Q", self._take(8))[0] if size == 127 else size
            content = self._take(size)
            if first & 0x0F == 8:
                raise Closed(struct.unpack(">H", content[:2])[0] if content else 1005, content[2:].decode())
            if first & 0x0F == 9:
                self.send(content.decode("latin-1"), 10)
            if first & 0x0F in (0, 1):
                whole += content
                if first & 0x80:
                    return whole.decode()

    def cut(self) -> None:
        """End the connection without a word, as a network does that fails."""
        self._socket.close()


