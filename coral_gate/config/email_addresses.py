"""
E-mail addresses, in the plain form that people sign in with; every other form is refused rather than understood.
"""

from __future__ import annotations

import re

_MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets
# RFC 5322 §3.2.3, dot-atom; without the asterisk, which in a list of addresses would look like a pattern.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'+/=?^_`{|}~-]+)*\Z")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")


def email_address(text: str) -> str | None:
    """
    An address with its domain in lower case, or None where it is not a dot-atom at a dotted ASCII name.

    The local part keeps its case: only its own host knows what that means (RFC 5321 §2.4).
    """
    local, at, domain = text.partition("@")
    name = domain_name(domain)
    if not at or len(text) > _MAX_ADDRESS or len(local) > 64 or name is None or not _LOCAL.match(local):
        return None
    return f"{local}@{name}"


def domain_name(text: str) -> str | None:
    """A dotted ASCII host name in lower case, or None where it is none."""
    if not text.isascii():
        return None
    name = text.lower()
    return name if len(name) <= 253 and _DOMAIN.match(name) else None
