"""
Looking for a secret in what a sandbox sends.

It finds what is sent by accident: an error page, a log, a configuration that is shown. Whoever means to get a secret
out can write it in a way that no scan knows; against that helps only that it is worth nothing outside.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn
from urllib.parse import quote_from_bytes, quote_plus

from coral_gate.model import Secret

LEAST_BYTES: Final = 8
"""A shorter secret would be found in what has nothing to do with it."""

_BASE64_DEPENDS_ON_BEFORE: Final = (0, 2, 3)
"""Of a base64 text that has 0, 1 or 2 bytes before the secret, how many of its first characters depend on those."""


class LeakScan:
    """
    Looks for secrets in one stream of bytes, however it is cut into chunks.

    It knows these forms of a secret: itself; hexadecimal in lower or upper case; base64 and base64url wherever the secret
    stands in what was encoded; percent-encoded and JSON-escaped, every character or only those that need it; HTML-escaped.
    It does not know mixtures, line breaks inside an encoding, compression, or a secret that is written backwards.

    It keeps one byte less of the stream than the longest form is long: for a password of 43 characters 257 bytes.

    :param secrets: of 8 bytes or more each.
    :raises ValueError: one is shorter.
    """

    __slots__ = ("_found", "_longest", "_needles", "_tail")

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._needles = tuple(dict.fromkeys(form for secret in secrets for form in _forms(secret)))
        self._longest = max(map(len, self._needles), default=1)
        self._tail = b""
        self._found = False

    def feed(self, chunk: bytes | memoryview) -> bool:
        """
        Look at the next bytes of the stream.

        :return: whether a secret was in the stream by now; once it was, it stays so.
        """
        if not self._found:
            self._found = self._look(bytes(chunk))
        return self._found

    def _look(self, chunk: bytes) -> bool:
        # One copy of the chunk costs less than a second search of the seam for every form.
        window = self._tail + chunk
        self._tail = window[max(0, len(window) - self._longest + 1) :]
        return any(needle in window for needle in self._needles)

    def __repr__(self) -> str:
        return "<LeakScan>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a scan holds secrets and cannot be pickled or copied")


def _forms(hidden: Secret) -> Iterator[bytes]:
    if len(hidden.reveal()) < LEAST_BYTES:
        raise ValueError(f"a secret that is looked for has at least {LEAST_BYTES} bytes")
    secret = hidden.reveal()
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield from _base64_forms(secret)
    yield from _escapes_of_all(secret)
    if not secret.isalnum():  # letters and digits need no escaping
        yield from _percent_forms(secret)
        yield from _text_forms(secret)


def _base64_forms(secret: bytes) -> Iterator[bytes]:
    for before, depends in enumerate(_BASE64_DEPENDS_ON_BEFORE):
        whole = (before + len(secret)) * 8 // 6  # characters that no byte after the secret changes
        standard = base64.b64encode(bytes(before) + secret)[depends:whole]
        yield standard
        yield standard.translate(bytes.maketrans(b"+/", b"-_"))


def _escapes_of_all(secret: bytes) -> Iterator[bytes]:
    """Every character escaped: RFC 3986 §2.1, and for what is text in UTF-8, RFC 8259 §7."""
    for code in (secret.hex("%"), secret.hex("%").upper()):
        yield f"%{code}".encode()
    try:
        units = secret.decode().encode("utf-16-be")
    except UnicodeDecodeError:
        return
    for code in (units.hex("u", 2), units.hex("u", 2).upper().replace("U", "u")):
        yield ("\\u" + code.replace("u", "\\u")).encode()


def _percent_forms(secret: bytes) -> Iterator[bytes]:
    """What needs it escaped (RFC 3986 §2.1); `+` for a blank as forms have it."""
    for text in (quote_from_bytes(secret, safe=""), quote_from_bytes(secret, safe="/"), quote_plus(secret)):
        yield text.encode()
        yield _lower_escapes(text.encode())


def _lower_escapes(text: bytes) -> bytes:
    first, *rest = text.split(b"%")
    return b"%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _text_forms(secret: bytes) -> Iterator[bytes]:
    """What needs it escaped, of text in UTF-8: RFC 8259 §7, and HTML."""
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield escaped.encode()
        yield escaped.replace("/", "\\/").encode()
    yield html.escape(text).encode()
    yield html.escape(text).replace("&#x27;", "&#39;").encode()
    yield html.escape(text, quote=False).encode()
