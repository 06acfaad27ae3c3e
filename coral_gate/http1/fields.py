"""
Field names: which pass, which are taken out, and which the gate reads itself.

The tables are data. A request's field is one of: *read* (its value is looked at and it is forwarded only by what a channel
writes anew), *dropped* (never forwarded), or ordinary (its line passes as it came).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

READ = frozenset(
    b"host connection content-length transfer-encoding expect upgrade cookie origin authorization accept-encoding"
    b" sec-websocket-key sec-websocket-version sec-websocket-protocol sec-websocket-extensions".split()
)
"""Request fields whose values the gate reads; none passes by itself."""

READ_AND_PASSED = frozenset(b"sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user".split())
"""Request fields whose values the gate reads and whose lines pass (W3C Fetch Metadata)."""

_HOP = frozenset(b"keep-alive proxy proxy-connection proxy-authenticate proxy-authorization te trailer http2-settings".split())
"""
Fields about one connection (RFC 9110 §7.6.1) besides those read; and `Proxy`, which CGI turns into HTTP_PROXY (CVE-2016-5385).
"""

_FORWARDED = frozenset(
    b"forwarded via x-real-ip x-client-ip x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr x-original-host"
    b" x-original-url x-original-uri x-original-method x-rewrite-url x-url-scheme front-end-https x-host x-http-host-override"
    b" true-client-ip cf-connecting-ip cf-connecting-ipv6 fastly-client-ip"
    b" client-ip x-proxyuser-ip x-azure-clientip x-envoy-external-address".split()
)
_OVERRIDE = frozenset(b"x-http-method x-http-method-override x-method-override max-forwards alt-used early-data".split())
_IDENTITY = frozenset(b"remote-user x-remote-user x-remote-group x-user x-email x-groups x-username".split())
_DROPPED = _HOP | _FORWARDED | _OVERRIDE | _IDENTITY
_DROPPED_PREFIXES = (
    b"x-forwarded", b"x-auth-", b"x-user-", b"x-webauth-", b"x-authenticated-", b"x-openclaw-", b"tailscale-", b"x-coral-", b"x-goog-iap-",
    b"x-goog-authenticated-", b"x-amzn-oidc-",
    b"x-ms-client-principal", b"cf-access-", b"proxy-", b"x-ssl-client", b"ssl-client", b"x-client-cert", b"x-middleware-",
)  # fmt: skip
"""Names that some server in the world takes for an identity, an address or a decision."""

_LIST = frozenset(b"connection cookie".split())
"""Read fields that may be sent more than once."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")

# What a name is, for the reader's loop.
ORDINARY, DROP, CAPTURE, CAPTURE_LIST, CAPTURE_PASS = 0, 1, 2, 3, 4


def dropped(lower: bytes) -> bool:
    """Whether a request's field of this lower-case name never passes."""
    return lower in _DROPPED or lower.startswith(_DROPPED_PREFIXES)


def is_token(name: bytes) -> bool:
    """Whether bytes are a token (RFC 9110 §5.6.2)."""
    return _TOKEN.match(name) is not None


def special(lower: bytes) -> bool:
    """Whether the gate acts on this lower-case name in a request: reads, frames, routes or takes it out."""
    return lower in READ or lower in READ_AND_PASSED or dropped(lower)


def looks_special(lower: bytes) -> bool:
    """Whether a name with underscores would be a name that the gate acts on, to a peer that reads `_` as `-`."""
    return b"_" in lower and special(lower.replace(b"_", b"-"))


def kind_of(lower: bytes) -> int:
    """ORDINARY, DROP or a CAPTURE, for a request's lower-case field name."""
    if lower in READ:
        return CAPTURE_LIST if lower in _LIST else CAPTURE
    if lower in READ_AND_PASSED:
        return CAPTURE_PASS
    return DROP if dropped(lower) else ORDINARY


_COMMON = (
    b"Accept Accept-Language Cache-Control Content-Type Content-Language Content-Encoding Content-Disposition Date DNT ETag If-Match"
    b" If-Modified-Since If-None-Match If-Range If-Unmodified-Since Last-Event-ID Last-Modified Pragma Priority Purpose Range Referer"
    b" Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform Sec-GPC Sec-Purpose User-Agent"
    b" Upgrade-Insecure-Requests X-Requested-With X-Request-Id X-CSRF-Token".split()
)


def known_names(names: Iterable[bytes], kind: Callable[[bytes], int]) -> dict[bytes, tuple[bytes, int]]:
    """
    A table from a name as it is usually written to its lower-case form and kind, for the reader's loop.

    :param kind: called with the lower-case name.
    """
    table: dict[bytes, tuple[bytes, int]] = {}
    for name in names:
        for spelling in (name, name.lower(), name.title()):
            table[spelling] = (name.lower(), kind(name.lower()))
    return table


REQUEST_NAMES = known_names([*_COMMON, *READ, *READ_AND_PASSED, *_DROPPED], kind_of)
"""The usual spellings of request names; any other spelling is looked up by its lower-case form."""

# -- responses ---------------------------------------------------------------------------------------------------------

RESPONSE_READ = frozenset(
    b"connection content-length transfer-encoding keep-alive set-cookie location content-type content-encoding upgrade"
    b" sec-websocket-accept sec-websocket-protocol sec-websocket-extensions".split()
)
"""Response fields whose values the gate reads; none passes by itself."""

_RESPONSE_LIST = frozenset(b"connection set-cookie keep-alive sec-websocket-extensions".split())

_RESPONSE_DROPPED = frozenset(
    b"trailer te proxy-connection proxy-authenticate proxy-authenticate-info via server x-powered-by alt-svc service-worker-allowed nel"
    b" report-to reporting-endpoints clear-site-data public-key-pins public-key-pins-report-only strict-transport-security"
    b" expect-ct origin-agent-cluster www-authenticate"
    b" authentication-info x-accel-redirect x-accel-buffering x-sendfile document-isolation-policy"
    b" cross-origin-opener-policy cross-origin-resource-policy referrer-policy x-content-type-options"
    b" activate-storage-access speculation-rules supports-loading-mode accept-ch critical-ch set-login".split()
)
"""What a sandbox may not say to the browser about its origin, its transport or ours; some are written anew by the channel."""

_RESPONSE_DROPPED_PREFIXES = (b"access-control-", b"x-coral-", b"x-openclaw-", b"proxy-", b"sec-")


def response_kind_of(lower: bytes) -> int:
    """ORDINARY, DROP, CAPTURE or CAPTURE_LIST, for a response's lower-case field name."""
    if lower in RESPONSE_READ:
        return CAPTURE_LIST if lower in _RESPONSE_LIST else CAPTURE
    if lower in _RESPONSE_DROPPED or lower.startswith(_RESPONSE_DROPPED_PREFIXES):
        return DROP
    return ORDINARY


_COMMON_RESPONSE = (
    b"Accept-Ranges Age Allow Cache-Control Content-Disposition Content-Language Content-Range Content-Security-Policy Date ETag Expires"
    b" Last-Modified Pragma Permissions-Policy Retry-After Vary X-Frame-Options X-Request-Id".split()
)

RESPONSE_NAMES = known_names([*_COMMON_RESPONSE, *RESPONSE_READ, *_RESPONSE_DROPPED], response_kind_of)
"""The usual spellings of response names."""

FRAMING = frozenset(
    b"host connection content-length transfer-encoding expect upgrade cookie set-cookie origin authorization trailer te content-type"
    b" content-encoding content-range location proxy-authorization cache-control".split()
)
"""Names that no trailer may carry and no Connection option may name: they frame, route or identify (RFC 9110 §6.5.1)."""
