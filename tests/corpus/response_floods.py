"""
Answers that never end, in each state that an answer can be in.
"""

from __future__ import annotations

from collections.abc import Iterator

from .response import BROKEN, ENDLESS, REFUSED, Response, response

_KIB = b"a" * 1024


def responses() -> Iterator[Response]:
    """The class `floods`."""
    why = "whatever never ends is bounded: it is refused, or it flows only as fast as the client reads (RFC 9110 §17.5)"
    for name, begin, endless in (
        ("bytes", b"", b"\xff" * 1024), ("letters", b"", _KIB), ("line-ends", b"", b"\r\n" * 512), ("reason", b"HTTP/1.1 200 ", _KIB), ("value", b"HTTP/1.1 200 OK\r\nX-A: ", _KIB),
        ("name", b"HTTP/1.1 200 OK\r\n", _KIB), ("fields", b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 64), ("cookies", b"HTTP/1.1 200 OK\r\n", b"Set-Cookie: a=1\r\n" * 64),
        ("interim", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 16), ("hints", b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 16),
        ("interim-fields", b"HTTP/1.1 100 Continue\r\n", b"X-A: 1\r\n" * 64),
    ):  # fmt: skip
        yield Response(f"floods/{name}", (begin,) if begin else (), REFUSED, why, endless=endless)
    coded = response(b"Transfer-Encoding: chunked")
    for name, begin, endless in (
        ("size", coded, b"0" * 1024), ("extension", coded + b"5;", _KIB), ("extensions", coded + b"5", b";a=b" * 100), ("trailer", coded + b"0\r\nX: ", _KIB), ("trailers", coded + b"0\r\n", b"X: y\r\n" * 100),
        ("many-extensions", coded, b"1;" + b"a" * 200 + b"\r\nx\r\n"),
    ):  # fmt: skip
        yield Response(f"floods/{name}", (begin,), BROKEN, why, body=b"x" * 100_000 if name == "many-extensions" else b"", endless=endless)
    for name, begin, endless in (
        ("until-close", response(), _KIB * 16), ("length", response(b"Content-Length: 99999999999999999"), _KIB * 16), ("chunks", coded, b"4000\r\n" + _KIB * 16 + b"\r\n"),
        ("small-chunks", coded, b"1\r\na\r\n" * 1000), ("old", response(status=b"HTTP/1.0 200 OK"), _KIB * 16),
    ):  # fmt: skip
        yield Response(f"floods/{name}", (begin,), ENDLESS, why, body=b"a", endless=endless)
