"""What every answer of the gate says, whatever was asked."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.answers import Answer

_FIXED = {
    b"strict-transport-security": b"max-age=31536000; includeSubDomains",
    b"x-content-type-options": b"nosniff",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_NEVER = (b"server", b"x-powered-by", b"via", b"x-runtime", b"access-control-allow-origin", b"public-key-pins")
_ATTRIBUTES = {b"Secure", b"HttpOnly", b"SameSite=Lax", b"Path=/"}
_COOKIE_BYTES = 4096


def complaints(answer: Answer, *, kept: bool = False, forwarded: bool = False, personal: bool = False) -> list[str]:
    """
    What is missing or wrong, a sentence each.

    :param kept: it is a file that is everybody's, and may be kept.
    :param forwarded: it is a sandbox's content.
    :param personal: it is for somebody who is signed in.
    """
    return [*_fixed(answer), *_policy(answer, forwarded), *_caching(answer, kept, forwarded, personal), *_cookies(answer)]


def _values(answer: Answer, name: bytes) -> list[bytes]:
    return [value for other, value in answer.fields if other == name]


def _fixed(answer: Answer) -> Iterator[str]:
    for name, wanted in _FIXED.items():
        if _values(answer, name) != [wanted]:
            yield f"{name.decode()} is {_values(answer, name)}"
    if _values(answer, b"referrer-policy") not in ([b"same-origin"], [b"no-referrer"]):
        yield f"referrer-policy is {_values(answer, b'referrer-policy')}"
    for name in _NEVER:
        if _values(answer, name):
            yield f"{name.decode()} is there"


def _policy(answer: Answer, forwarded: bool) -> Iterator[str]:
    policies = _values(answer, b"content-security-policy")
    wanted = (b"frame-ancestors 'none'", b"base-uri 'self'", b"connect-src 'self'") if forwarded else (
        b"default-src 'none'", b"frame-ancestors 'none'", b"base-uri 'none'", b"form-action '",
    )  # fmt: skip
    if not any(all(part in policy for part in wanted) for policy in policies):
        yield f"content-security-policy is {policies}"
    if not forwarded and any(b"unsafe" in policy for policy in policies):
        yield "content-security-policy allows what is unsafe"


def _caching(answer: Answer, kept: bool, forwarded: bool, personal: bool) -> Iterator[str]:
    told = b", ".join(_values(answer, b"cache-control"))
    wanted = b"no-cache" if kept else b"private" if forwarded else b"no-store"
    if wanted not in told:
        yield f"cache-control is {told!r}"
    if (personal or forwarded) and b"Cookie" not in _values(answer, b"vary"):
        yield "it does not vary by cookie"


def _cookies(answer: Answer) -> Iterator[str]:
    for cookie in _values(answer, b"set-cookie"):
        name, *attributes = cookie.split(b"; ")
        if not name.startswith(b"__Host-") or not set(attributes) >= _ATTRIBUTES or len(cookie) > _COOKIE_BYTES:
            yield f"a cookie is {name.partition(b'=')[0].decode()} with {attributes}"
        if any(attribute.lower().startswith(b"domain") for attribute in attributes):
            yield "a cookie has a domain"
