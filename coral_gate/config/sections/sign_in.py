"""`[sign_in]`: who may sign in, and where they prove who they are."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.email_addresses import domain_name, email_address
from coral_gate.config.issuer_urls import issuer_url
from coral_gate.config.kinds import Choice, ListOf, Spelled, Switch
from coral_gate.config.places import Place
from coral_gate.config.secret_sources import SecretReference, SecretSource

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""What ID tokens may be signed with."""

AUTHENTICATIONS: Final = ("client_secret_basic", "client_secret_post", "none")
"""How the gate may authenticate at the token endpoint (OpenID Connect Core 1.0 §9)."""

SCOPES: Final = ("openid", "email", "profile")
"""What the gate may ask an issuer about a person."""

_NEEDED_SCOPES: Final = ("openid", "email")
_TRY_OUT_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+\Z")


def _domain(text: str) -> str:
    name = domain_name(text)
    if name is None:
        raise ValueError("Write the domain whole, without @ or *; each domain needs an entry of its own.")
    return name


def _address(text: str) -> str:
    address = email_address(text)
    if address is None:
        raise ValueError("Write one plain address; patterns are not taken: list the organisation's domain instead.")
    return address


def _subject(text: str) -> str:
    if not _PRINTABLE.match(text) or len(text) > 255:
        raise ValueError('A subject is 1 to 255 printable ASCII characters, as in the issuer\'s "sub".')
    return text


def _client_id(text: str) -> str:
    if not _PRINTABLE.match(text) or len(text) > 512:
        raise ValueError("A client id is 1 to 512 printable ASCII characters.")
    return text


def _label(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > 60:
        raise ValueError("A name is 1 to 60 printable characters.")
    return text


def _try_out_name(text: str) -> str:
    if not _TRY_OUT_NAME.match(text):
        raise ValueError("A name for trying out is 1 to 32 lower-case letters, digits and hyphens, a letter first.")
    return text


def _one_issuer(place: Place, issuer: str | None, built_in: bool) -> None:
    if issuer is not None and built_in:
        place.at("built_in").record("There is an issuer already.", "Take one of the two out; the built-in one is for trying out.")


def _client(
    place: Place, issuer: str | None, client_id: str | None, client_secret: SecretSource | None, client_authentication: str
) -> None:
    if issuer is None:
        for name, value in (("client_id", client_id), ("client_secret", client_secret)):
            if value is not None:
                place.at(name).record("There is no issuer that this belongs to.", "Set sign_in.issuer.")
        return
    if client_id is None:
        place.at("client_id").record("An issuer needs it to know the gate.", "Register the gate there.")
    if client_secret is None and client_authentication != "none":
        place.at("client_secret").record(
            "The gate cannot prove to the issuer who it is.", 'For a public client set client_authentication = "none".'
        )
    if client_secret is not None and client_authentication == "none":
        place.at("client_secret").record('It is not used with client_authentication = "none".', "Take one of the two out.")


def _somebody(
    place: Place,
    issuer: str | None,
    allow_hd: tuple[str, ...],
    allow_email: tuple[str, ...],
    allow_subject: tuple[str, ...],
    administrators: tuple[str, ...],
) -> None:
    if issuer is not None and not (allow_hd or allow_email or allow_subject or administrators):
        place.at("allow_email").record("Nobody may sign in.", "List people in allow_hd, allow_email, allow_subject or administrators.")
    if issuer is None:
        for name, listed in (("allow_hd", allow_hd), ("allow_email", allow_email), ("allow_subject", allow_subject)):
            if listed:
                place.at(name).record("There is no issuer whose people these are.", "Set sign_in.issuer.")


def _least_scopes(place: Place, scopes: tuple[str, ...]) -> None:
    for scope in _NEEDED_SCOPES:
        if scope not in scopes:
            place.at("scopes").record(f'"{scope}" is missing; the gate cannot do without.')


@frozen(kw_only=True)
class SignInConfig:
    """
    Where people prove who they are, and which of them may come in.

    One OpenID Connect issuer, such as Google or your organisation's. Without one, and without the built-in one, nobody can
    sign in. What is checked and what each refusal in the audit log means is in `sign-in.md`.
    """

    issuer: str | None = field(
        default=None,
        metadata=key(
            "issuer",
            Spelled('an issuer such as "https://accounts.google.com"', issuer_url, str),
            """
            The issuer's identifier, character by character as it stands in its metadata and its tokens. Plain http is
            taken for an issuer on this machine alone.
            """,
            since="0.1",
        ),
    )
    issuer_name: str | None = field(
        default=None,
        metadata=key(
            "issuer_name",
            Spelled("a name", _label, str),
            "What the button on the sign-in page calls the issuer. Where it is not set, the issuer's host.",
            since="0.1",
        ),
    )
    client_id: str | None = field(
        default=None,
        metadata=key(
            "client_id",
            Spelled("a client id", _client_id, str),
            "What the issuer calls the gate. The redirect address to register there is the portal's origin and `/sign-in/callback`.",
            since="0.1",
        ),
    )
    client_secret: SecretSource | None = field(
        default=None,
        metadata=key("client_secret", SecretReference(), "Where the secret is that the issuer gave the gate; read at start.", since="0.1"),
    )
    client_authentication: str = field(
        default="client_secret_basic",
        metadata=key(
            "client_authentication",
            Choice({word: word for word in AUTHENTICATIONS}),
            "How the gate proves to the issuer that it is this client; `none` is a public client, which has PKCE alone.",
            since="0.1",
        ),
    )
    allow_hd: tuple[str, ...] = field(
        default=(),
        metadata=key(
            "allow_hd",
            ListOf(Spelled('a domain such as "example.com"', _domain, str), "domains"),
            """
            Organisations whose members may sign in, by the claim `hd` that Google states for Workspace accounts. It is never
            taken from an e-mail address.
            """,
            since="0.1",
        ),
    )
    allow_email: tuple[str, ...] = field(
        default=(),
        metadata=key(
            "allow_email",
            ListOf(Spelled('an address such as "ann@example.com"', _address, str), "e-mail addresses"),
            """
            People who may sign in, by an address that the issuer says is verified. The part before the `@` is compared
            with its case, the domain without. Who they are in the gate is their subject, whatever their address becomes.
            """,
            since="0.1",
        ),
    )
    allow_subject: tuple[str, ...] = field(
        default=(),
        metadata=key(
            "allow_subject",
            ListOf(Spelled("a subject", _subject, str), "subjects"),
            "People who may sign in, by the issuer's `sub`, which never changes and is never given to somebody else.",
            since="0.1",
        ),
    )
    administrators: tuple[str, ...] = field(
        default=(),
        metadata=key(
            "administrators",
            ListOf(Spelled("a subject", _subject, str), "subjects"),
            """
            People who may sign in and are administrators from their first sign-in on, by the issuer's `sub`. Somebody who is
            known already keeps the role that they have; `coral-gate user role` changes it.
            """,
            since="0.1",
        ),
    )
    algorithms: tuple[str, ...] = field(
        default=("RS256",),
        metadata=key(
            "algorithms",
            ListOf(Choice({word: word for word in ALGORITHMS}), "algorithms", least=1),
            "What the issuer's ID tokens may be signed with; name only what it uses.",
            since="0.1",
        ),
    )
    scopes: tuple[str, ...] = field(
        default=_NEEDED_SCOPES,
        metadata=key(
            "scopes",
            ListOf(Choice({word: word for word in SCOPES}), "scopes"),
            "What the issuer is asked about a person: `openid` and `email` always, `profile` for the name that the portal shows.",
            since="0.1",
        ),
    )
    built_in: bool = field(
        default=False,
        metadata=key(
            "built_in",
            Switch(),
            """
            Use the built-in issuer, for trying out: it prints a one-time word on the terminal on which the daemon was
            started, and whoever types that word is in. It runs only while every listener is on a loopback address and the
            portal's name ends in `.localhost`.
            """,
            since="0.1",
        ),
    )
    try_out_users: tuple[str, ...] = field(
        default=("owner",),
        metadata=key(
            "try_out_users",
            ListOf(Spelled('a name such as "ann"', _try_out_name, str), "names", least=1),
            "Whom the built-in issuer can sign in; whoever has the word picks one.",
            since="0.1",
        ),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(_one_issuer, "issuer", "built_in"),
        rule(_client, "issuer", "client_id", "client_secret", "client_authentication"),
        rule(_somebody, "issuer", "allow_hd", "allow_email", "allow_subject", "administrators"),
        rule(_least_scopes, "scopes"),
    )
