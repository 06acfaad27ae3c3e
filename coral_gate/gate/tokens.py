"""
Opaque tokens in cookies: 256 random bits, of which only the digest is ever kept.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from coral_gate.model import Secret

PORTAL_COOKIE = b"__Host-coral"
"""A session, at the portal."""
SANDBOX_COOKIE = b"__Host-coral-sandbox"
"""A sandbox session, at one sandbox's origin."""
BROWSER_COOKIE = b"__Host-Http-coral-pre"
"""
Binds a sign-in or a hand-off that is under way to the browser that began it.

The name keeps scripts from setting it (RFC 6265bis, cookie prefixes): a sandbox's page that planted a cookie it knows could
redeem a code that it sees elsewhere. To a browser that does not know the longer prefix it is a `__Host-` cookie.
"""

_TOKEN = rb"[A-Za-z0-9_-]{43}"
_WHOLE = re.compile(_TOKEN + rb"\Z")
_PAIRS = {name: re.compile(rb"(?:^|;)[ \t]*" + re.escape(name) + rb"=([^;]*)") for name in (PORTAL_COOKIE, SANDBOX_COOKIE, BROWSER_COOKIE)}


def new_token() -> Secret:
    """A fresh token from the operating system's entropy: 43 characters of base64url (RFC 4648 §5)."""
    return Secret(secrets.token_urlsafe(32).encode("ascii"))


def digest_of(token: bytes) -> bytes:
    """The SHA-256 under which a token is known, 32 bytes; the token's 256 random bits make a slow hash pointless."""
    return hashlib.sha256(token).digest()


def cookie_token(cookie: bytes | None, name: bytes) -> bytes | None:
    """
    The token in a Cookie field.

    :param name: one of the names above.
    :return: None where there is none, where it is not a token, and where there are two: nobody knows which of them counts.
    """
    if cookie is None or name not in cookie:
        return None
    found = _PAIRS[name].findall(cookie)
    if len(found) != 1:
        return None
    token: bytes = found[0].rstrip(b" \t")
    return token if _WHOLE.match(token) else None


def set_cookie(name: bytes, token: Secret, max_age_s: int) -> bytes:
    """A Set-Cookie value for a token (RFC 6265bis §4.1)."""
    return b"%b=%b; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax" % (name, token.reveal(), max_age_s)


def drop_cookie(name: bytes) -> bytes:
    """A Set-Cookie value that takes a cookie away."""
    return b"%b=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax" % name
