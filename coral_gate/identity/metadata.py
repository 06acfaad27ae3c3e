"""
What an issuer says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).
"""

from __future__ import annotations

from attrs import frozen

from coral_gate.identity.refusals import Document, Outage, unavailable
from coral_gate.identity.strict_json import json_object
from coral_gate.identity.urls import check_endpoint


@frozen
class IssuerMetadata:
    """
    The parts of the metadata that we go by.

    :ivar iss_in_callback: each callback carries `iss` (RFC 9207 §3).
    :ivar token_auth_methods: how a client may authenticate at the token endpoint.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    iss_in_callback: bool
    token_auth_methods: frozenset[str]


def metadata_url(issuer: str) -> str:
    """Where the issuer's metadata is (OpenID Connect Discovery 1.0 §4.1)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def parse_metadata(document: bytes, issuer: str) -> IssuerMetadata:
    """
    Read the metadata of the issuer that is configured.

    :raises IssuerUnavailable: `discovery.malformed`, `discovery.issuer` (it speaks for another), `discovery.endpoint` (an
        address that we do not take) or `discovery.unsupported` (no code flow, or no S256).
    """
    members = _members(document)
    if members.get("issuer") != issuer:
        raise unavailable(Document.DISCOVERY, Outage.ISSUER)
    _check_supported(members)
    return IssuerMetadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(members, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(members, "token_endpoint", issuer),
        jwks_uri=_endpoint(members, "jwks_uri", issuer),
        userinfo_endpoint=_endpoint(members, "userinfo_endpoint", issuer) if "userinfo_endpoint" in members else None,
        iss_in_callback=_truth(members, "authorization_response_iss_parameter_supported"),
        token_auth_methods=_words(members, "token_endpoint_auth_methods_supported", "client_secret_basic"),
    )


def _members(document: bytes) -> dict[str, object]:
    try:
        return json_object(document)
    except ValueError:
        raise unavailable(Document.DISCOVERY, Outage.MALFORMED) from None


def _check_supported(members: dict[str, object]) -> None:
    flows = _words(members, "response_types_supported", "code")
    challenges = _words(members, "code_challenge_methods_supported", "S256")
    if "code" not in flows or "S256" not in challenges:
        raise unavailable(Document.DISCOVERY, Outage.UNSUPPORTED)


def _endpoint(members: dict[str, object], name: str, issuer: str) -> str:
    url = members.get(name)
    try:
        if not isinstance(url, str):
            raise ValueError("an endpoint is a string")
        check_endpoint(url, issuer)
    except ValueError:
        raise unavailable(Document.DISCOVERY, Outage.ENDPOINT) from None
    return url


def _truth(members: dict[str, object], name: str) -> bool:
    value = members.get(name, False)
    if not isinstance(value, bool):
        raise unavailable(Document.DISCOVERY, Outage.MALFORMED)
    return value


def _words(members: dict[str, object], name: str, where_absent: str) -> frozenset[str]:
    value = members.get(name, [where_absent])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise unavailable(Document.DISCOVERY, Outage.MALFORMED)
    return frozenset(value)
