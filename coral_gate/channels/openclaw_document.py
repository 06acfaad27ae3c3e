"""
What the gate changes in the document of OpenClaw's UI: one script more, and whom its pages may talk to. Pure functions of bytes.
"""

from __future__ import annotations

import re
from typing import Final

SCRIPT: Final = b'<script src="/.gate/tickets.js"></script>'
"""The first element of the document's head: what comes after it finds its WebSocket in place."""

DOCUMENT_BYTES: Final = 1024 * 1024
"""The longest document that is changed."""

_START: Final = re.compile(rb"\s*<!doctype html>\s*<html(?:\s[^<>]*)?>\s*<head(?:\s[^<>]*)?>", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(rb"([a-z-]+)((?:[ \t]+[!-+\--:<-~]+)*)\Z")


class NotTheDocument(ValueError):
    """It is not what the UI's document looks like."""


def with_script(document: bytes) -> bytes:
    """
    The document with the script as the first element of its head; every other byte stays.

    :raises NotTheDocument: its head is not where it has to be, or the script is there already.
    """
    found = _START.match(document)
    if found is None or b"/.gate/tickets.js" in document:
        raise NotTheDocument
    return document[: found.end()] + SCRIPT + document[found.end() :]


def connecting_to(policy: bytes, sources: bytes) -> bytes:
    """
    A Content-Security-Policy whose `connect-src` is what is given here (CSP3 §2.2); the other directives stay.

    :param policy: one policy; a comma would begin a second one.
    :raises NotTheDocument: it is no policy, or names a directive twice: browsers take the first, people read the last.
    """
    directives: dict[bytes, bytes] = {}
    for part in policy.split(b";"):
        if not part.strip(b" \t"):
            continue
        found = _DIRECTIVE.match(part.strip(b" \t"))
        if found is None or found[1] in directives:
            raise NotTheDocument
        directives[found[1]] = found[2]
    if b"script-src" not in directives:
        raise NotTheDocument
    directives[b"connect-src"] = b" " + sources
    return b"; ".join(name + value for name, value in directives.items())
