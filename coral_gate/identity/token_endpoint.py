"""
Changing a code into tokens (RFC 6749 §4.1.3, §5; OpenID Connect Core 1.0 §3.1.3).
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote_plus, urlencode

from attrs import field, frozen

from coral_gate.identity.answers import ACCEPT_JSON, json_text, says_json
from coral_gate.identity.metadata import IssuerMetadata
from coral_gate.identity.refusals import Document, Outage, Refusal, refused, unavailable
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.identity.strict_json import json_object
from coral_gate.model import HTTPAnswer, SignInAttempt

_CLIENT_ERRORS = ("invalid_client", "unauthorized_client")
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}\Z")  # it goes into a field of a request
_FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


@frozen
class Tokens:
    """What a code was worth; neither leaves the back end, neither is logged or stored."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


@frozen
class TokenRequest:
    """A request to the token endpoint."""

    url: str
    fields: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)


def token_request(settings: ClientSettings, metadata: IssuerMetadata, attempt: SignInAttempt, code: str) -> TokenRequest:
    """
    The request that redeems a code.

    :raises IssuerUnavailable: `token.unsupported`: the issuer does not take the authentication that is configured.
    """
    if settings.authentication.value not in metadata.token_auth_methods:
        raise unavailable(Document.TOKENS, Outage.UNSUPPORTED)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.code_verifier.reveal().decode("ascii"),
    }
    fields, more = _authentication(settings)
    return TokenRequest(metadata.token_endpoint, (ACCEPT_JSON, _FORM, *fields), urlencode({**form, **more}).encode("ascii"))


def read_tokens(answer: HTTPAnswer) -> Tokens:
    """
    Read the token endpoint's answer.

    :raises SignInRefused: `code.refused`: the code, its verifier or its redirect is not what the issuer gave it out for.
    :raises IssuerUnavailable: `token.client_refused` (our own credentials), or another `token.` word.
    """
    if answer.status in (400, 401):
        _raise_error(answer)
    members = _members(json_text(Document.TOKENS, answer))
    id_token, access_token, kind = (members.get(name) for name in ("id_token", "access_token", "token_type"))
    if not (isinstance(id_token, str) and isinstance(access_token, str) and str(kind).lower() == "bearer"):
        raise unavailable(Document.TOKENS, Outage.MALFORMED)
    if not _ACCESS_TOKEN.match(access_token):
        raise unavailable(Document.TOKENS, Outage.MALFORMED)
    return Tokens(id_token=id_token, access_token=access_token)


def _authentication(settings: ClientSettings) -> tuple[list[tuple[bytes, bytes]], dict[str, str]]:
    if settings.secret is None:
        return [], {"client_id": settings.client_id}
    secret = settings.secret.reveal().decode("utf-8")
    if settings.authentication is ClientAuthentication.POST:
        return [], {"client_id": settings.client_id, "client_secret": secret}
    # RFC 6749 §2.3.1: both are form-encoded first, so that a colon in either does no harm.
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}".encode("ascii")
    return [(b"Authorization", b"Basic " + base64.b64encode(pair))], {}


def _raise_error(answer: HTTPAnswer) -> None:
    error = _members(answer.body).get("error") if says_json(answer) else None
    if error == "invalid_grant":
        raise refused(Refusal.CODE_REFUSED)
    raise unavailable(Document.TOKENS, Outage.CLIENT_REFUSED if error in _CLIENT_ERRORS else Outage.STATUS)


def _members(text: bytes) -> dict[str, object]:
    try:
        return json_object(text)
    except ValueError:
        raise unavailable(Document.TOKENS, Outage.MALFORMED) from None
