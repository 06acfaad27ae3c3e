"""
Which addresses an issuer's endpoints may have (RFC 9700 §2.6, §4.4).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from coral_gate.config.issuer_urls import is_loopback, is_numeric, split_url


def check_endpoint(url: str, issuer: str) -> None:
    """
    Check an endpoint that the issuer's metadata names.

    It may lie on another host than the issuer's, as Google's do, but an issuer on the network never leads us to our own
    machine, to a bare address or to a name of our own domain.

    :raises ValueError: it may not be used.
    """
    parts = split_url(url)
    host = parts.hostname or ""
    if is_loopback(issuer):
        if not is_loopback(url):
            raise ValueError("an issuer on loopback has its endpoints there")
        return
    if parts.scheme != "https":
        raise ValueError("an endpoint is reached by https")
    if host != urlsplit(issuer).hostname and ("." not in host or is_numeric(host) or is_loopback(url)):
        raise ValueError("an endpoint's host is not sane")
