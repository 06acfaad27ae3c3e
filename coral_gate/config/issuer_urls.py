"""
How an issuer of sign-ins is named (OpenID Connect Discovery 1.0 §3).
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_PLAIN = re.compile(r"[\x21-\x7e]{1,2048}\Z")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
_NUMERIC = re.compile(r"(\d+|0x[0-9a-f]*)\Z")


def issuer_url(text: str) -> str:
    """
    Read an issuer's identifier; it is compared character by character later, so nothing in it is changed.

    :raises ValueError: it is not https (plain http is for loopback alone), has a query, a fragment or a user's name, or its
        host is an address.
    """
    parts = split_url(text)
    if "?" in text:
        raise ValueError("An issuer has no query.")
    if parts.scheme != "https" and not is_loopback(text):
        raise ValueError("An issuer is reached by https.")
    if not is_loopback(text) and is_numeric(parts.hostname or ""):
        raise ValueError("An issuer has a name; this is an address.")
    return text


def is_loopback(url: str) -> bool:
    """Whether the host is this machine by its form alone: 127.0.0.1, ::1, or a name under `.localhost` (RFC 6761 §6.3)."""
    host = urlsplit(url).hostname or ""
    return host in ("127.0.0.1", "::1") or host.endswith(".localhost")


def is_numeric(host: str) -> bool:
    """Whether a host is an address: a last label that is a number makes it one (URL Standard, "ends in a number")."""
    return ":" in host or bool(_NUMERIC.match(host.rsplit(".", 1)[-1]))


def split_url(text: str) -> SplitResult:
    """
    The parts of an absolute http or https URL.

    :raises ValueError: it is none that we take; a user's name in it, a fragment and odd characters are not.
    """
    if not _PLAIN.match(text) or "\\" in text or "#" in text:
        raise ValueError("Write https://, a name and where needed a port and a path.")
    parts = urlsplit(text)
    _ = parts.port  # raises where it is no number
    if parts.scheme not in ("https", "http") or "@" in parts.netloc:
        raise ValueError("Write https://, a name and where needed a port and a path.")
    if not _HOST.match(parts.hostname or "") and parts.hostname != "::1":
        raise ValueError("The host is not a name.")
    return parts
