"""
Cookies on their way through: the gate's own never reach a sandbox, and a sandbox never sets one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RESERVED = re.compile(rb"__(?:host|secure|http|host-http)-coral", re.IGNORECASE)
"""How the gate's cookie names begin, whichever of its prefixes somebody may take for another."""

COOKIES = 50
"""How many Set-Cookie fields of one answer pass."""
COOKIE_BYTES = 4096
"""The longest Set-Cookie value that passes (RFC 6265bis §5.6 asks browsers for no more)."""


def without_reserved(cookie: bytes) -> bytes:
    """
    A Cookie field without the gate's own cookies.

    A pair in which a reserved name stands anywhere is taken out whole: some servers split at commas, some unquote.

    :return: the rest, pairs and their order as they came; empty where nothing is left.
    """
    if not RESERVED.search(cookie):
        return cookie
    return b"; ".join(pair for part in cookie.split(b";") if (pair := part.strip(b" \t")) and not RESERVED.search(pair))


def passing_cookies(values: Iterable[bytes]) -> list[bytes]:
    """
    The Set-Cookie values of a sandbox that may reach the browser, host-only: without Domain, and none of the gate's names.
    """
    passing = []
    for value in values:
        if len(value) > COOKIE_BYTES or RESERVED.search(value.partition(b"=")[0]):
            continue
        parts = value.split(b";")
        if not parts[0].partition(b"=")[0].strip(b" \t"):
            continue  # a cookie without a name can hold `__Host-...=` in its value, and is sent just like one that has it
        passing.append(b";".join([parts[0], *(part for part in parts[1:] if not _is_domain(part))]))
        if len(passing) == COOKIES:
            break
    return passing


def _is_domain(attribute: bytes) -> bool:
    return attribute.partition(b"=")[0].strip(b" \t").lower() == b"domain"
