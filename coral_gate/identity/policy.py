"""
Who may sign in: nobody, but for those on a list.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from coral_gate.config.email_addresses import domain_name, email_address
from coral_gate.identity.person import Person
from coral_gate.identity.refusals import Refusal, refused

NOBODY = "Nobody may sign in: name an organisation's domain, an e-mail address or a subject."


@frozen
class SignInPolicy:
    """
    The lists; a person on one of them may sign in.

    :ivar hd: organisations' domains in lower case, compared with the `hd` claim.
    :ivar email: addresses, domain in lower case, compared whole with a verified address.
    :ivar subject: subjects at the issuer.
    """

    hd: frozenset[str]
    email: frozenset[str]
    subject: frozenset[str]

    def wants(self, person: Person) -> bool:
        """Whether a claim is missing that a list is about, so that userinfo should be asked."""
        return bool((self.email and person.email is None) or (self.hd and person.hd is None))

    def admit(self, person: Person) -> None:
        """
        Let a listed person through.

        :raises SignInRefused: `email.unverified` (listed, but the issuer does not vouch for the address) or
            `person.not_listed`.
        """
        if person.user.sub in self.subject or person.hd in self.hd:
            return
        if person.email is None or person.email not in self.email:
            raise refused(Refusal.NOT_LISTED)
        if not person.email_verified:
            raise refused(Refusal.EMAIL_UNVERIFIED)


def sign_in_policy(hd: Iterable[str] = (), email: Iterable[str] = (), subject: Iterable[str] = ()) -> SignInPolicy:
    """
    A policy from lists as configured.

    :raises ValueError: with a full sentence: all lists are empty, or an entry is not what its list holds.
    """
    policy = SignInPolicy(
        hd=frozenset(_domain(entry) for entry in hd),
        email=frozenset(_email(entry) for entry in email),
        subject=frozenset(_subject(entry) for entry in subject),
    )
    if not (policy.hd or policy.email or policy.subject):
        raise ValueError(NOBODY)
    return policy


def _domain(entry: str) -> str:
    name = domain_name(entry)
    if name is None:
        raise ValueError(f"{entry!r} is no domain; write it whole, e.g. 'example.com', without '@' or '*'.")
    return name


def _email(entry: str) -> str:
    address = email_address(entry)
    if address is None:
        raise ValueError(f"{entry!r} is no e-mail address; a pattern is not taken: list an organisation's domain instead.")
    return address


def _subject(entry: str) -> str:
    if not (entry and entry.isascii() and entry.isprintable() and len(entry) <= 255):
        raise ValueError("A subject is 1 to 255 printable ASCII characters, as in the issuer's 'sub'.")
    return entry
