"""
Changes to what an issuer says, made on the way to the client: in memory, or in a proxy before a real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import define, evolve, field

from coral_gate.model import HTTPAnswer
from tests.identity.forging import Forger, claims_of, forger

DISCOVERY, JWKS, TOKEN, USERINFO = "discovery", "jwks", "token", "userinfo"

_KINDS = {"openid-configuration": DISCOVERY, "jwks": JWKS, "token": TOKEN, "me": USERINFO}

Claims = dict[str, Any]


def kind_of(url: str) -> str:
    """Which document a URL or target is of; empty where it is none of them."""
    return _KINDS.get(urlsplit(url).path.rsplit("/", 1)[-1], "")


def json_answer(members: Mapping[str, Any], status: int = 200) -> HTTPAnswer:
    text = json.dumps(members).encode()
    return HTTPAnswer(status, ((b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(text))), text)


@define
class Tampering:
    """
    What is changed, by document.

    :ivar asked: how often each document was asked for.
    :ivar bodies: what was posted to the token endpoint.
    """

    answers: dict[str, list[Callable[[HTTPAnswer], HTTPAnswer]]] = field(factory=dict)
    forms: list[Callable[[dict[str, str]], None]] = field(factory=list)
    asked: list[str] = field(factory=list)
    bodies: list[bytes] = field(factory=list)
    tokens: list[str] = field(factory=list)

    # -- for whoever carries messages

    def request(self, url: str, body: bytes) -> bytes:
        """The content that goes on to the issuer."""
        kind = kind_of(url)
        self.asked.append(kind)
        if kind == TOKEN:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            for change in self.forms:
                change(form)
            body = urlencode(form).encode()
            self.bodies.append(body)
        return body

    def answer(self, url: str, answer: HTTPAnswer) -> HTTPAnswer:
        """The answer that comes back to the client."""
        kind = kind_of(url)
        if kind == TOKEN and answer.status == 200:
            members = json.loads(answer.body)
            self.tokens += [members["access_token"], members["id_token"]]
        for change in self.answers.get(kind, []):
            answer = change(answer)
        return answer

    # -- for tests

    def change(self, kind: str, change: Callable[[HTTPAnswer], HTTPAnswer]) -> None:
        """Change an answer."""
        self.answers.setdefault(kind, []).append(change)

    def members(self, kind: str, change: Callable[[Claims], object]) -> None:
        """Change the members of a JSON answer in place."""

        def changed(answer: HTTPAnswer) -> HTTPAnswer:
            members = json.loads(answer.body)
            change(members)
            return json_answer(members, answer.status)

        self.change(kind, changed)

    def status(self, kind: str, status: int, *fields: tuple[bytes, bytes]) -> None:
        """Answer with another status, nothing else changed."""
        self.change(kind, lambda answer: evolve(answer, status=status, fields=(*answer.fields, *fields)))

    def keys(self, *forgers: Forger) -> None:
        """Publish these keys in place of the issuer's own."""
        self.members(JWKS, lambda members: members.update(keys=[one.jwk for one in forgers]))

    def id_token(self, forge: Callable[[str], str]) -> None:
        """Replace the ID token by what is made of it."""
        self.members(TOKEN, lambda members: members.update(id_token=forge(members["id_token"])))

    def claims(self, change: Callable[[Claims], object], by: Forger | None = None, header: Claims | None = None) -> None:
        """Change the claims in place, sign them with a key of our own and publish that key."""
        signer = by or forger()

        def forge(token: str) -> str:
            claims = claims_of(token)
            change(claims)
            return signer.sign(claims, header)

        self.keys(signer)
        self.id_token(forge)

    def form(self, change: Callable[[dict[str, str]], object]) -> None:
        """Change what is posted to the token endpoint."""
        self.forms.append(lambda form: (change(form), None)[1])
