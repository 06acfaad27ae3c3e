"""
What an issuer claims about a person, once the token that says so has been judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve, frozen

from coral_gate.config.email_addresses import email_address
from coral_gate.identity.id_token import moment
from coral_gate.identity.refusals import Refusal, refused
from coral_gate.model import Identity, UserId

_MAX_NAME = 200


@frozen
class Person:
    """
    The claims about a person that we read.

    :ivar email: as claimed, its domain in lower case; None where there is none or it is no plain address.
    :ivar email_verified: the issuer says in so many words (`true`) that the address is theirs.
    :ivar hd: the organisation's domain, only ever from the claim of that name.
    """

    user: UserId
    email: str | None
    email_verified: bool
    hd: str | None
    name: str | None
    auth_time: datetime | None

    @property
    def identity(self) -> Identity:
        """What the rest of the gate learns: an address counts only where it is verified."""
        email = self.email if self.email_verified else None
        return Identity(user=self.user, email=email, hd=self.hd, name=self.name, auth_time=self.auth_time)


def person_of(claims: Mapping[str, object]) -> Person:
    """
    Read a person from the claims of a judged ID token, which therefore has `iss` and `sub`.

    :raises SignInRefused: `claims.malformed`.
    """
    email = _text(claims, "email")
    return Person(
        user=UserId(iss=str(claims["iss"]), sub=str(claims["sub"])),
        email=None if email is None else email_address(email),
        email_verified=claims.get("email_verified") is True,
        hd=_text(claims, "hd"),
        name=_name(_text(claims, "name")),
        auth_time=moment(claims, "auth_time"),
    )


def with_userinfo(person: Person, userinfo: Mapping[str, object]) -> Person:
    """
    Fill in what the ID token left out from the issuer's answer about the same person (OpenID Connect Core 1.0 §5.3).

    An address and the word that it is verified come from one place: never an address from here with a word from there.

    :raises SignInRefused: `userinfo.subject` (it is about another person), `claims.malformed`.
    """
    if userinfo.get("sub") != person.user.sub:
        raise refused(Refusal.USERINFO_SUBJECT)
    found = person_of({**userinfo, "iss": person.user.iss, "auth_time": None})
    if person.email is None:
        person = evolve(person, email=found.email, email_verified=found.email_verified)
    return evolve(person, hd=person.hd or found.hd, name=person.name or found.name)


def _text(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if not (value is None or isinstance(value, str)):
        raise refused(Refusal.CLAIMS_MALFORMED)
    return value


def _name(text: str | None) -> str | None:
    # People choose their own names: one that would disturb a page or a line of a log is left out.
    return text if text and len(text) <= _MAX_NAME and text.isprintable() and text.strip() else None
