"""`[[sandbox]]`: sandboxes that are named in the file."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from coral_gate.config.definitions import key
from coral_gate.config.kinds import Choice, Spelled, Switch
from coral_gate.config.sections.links import LinkConfig, TCPLinkConfig, TLSLinkConfig, UnixLinkConfig
from coral_gate.config.tables import Table, Tagged
from coral_gate.model import SandboxId, UserId, sandbox_id

_NAME_CHARACTERS: Final = 64
_SAID_CHARACTERS: Final = 255

LINK: Final = Tagged[LinkConfig]("kind", {"tcp": TCPLinkConfig, "tls": TLSLinkConfig, "unix": UnixLinkConfig})


def _id(text: str) -> SandboxId:
    try:
        return sandbox_id(text)
    except ValueError:
        raise ValueError("A sandbox's id is 26 characters of a-z and 2-7.") from None


def _name(text: str) -> str:
    if not 1 <= len(text) <= _NAME_CHARACTERS or not text.isprintable() or text != text.strip():
        raise ValueError(f"A name is 1 to {_NAME_CHARACTERS} printable characters, with no blank at either end.")
    return text


def _said(text: str) -> str:
    if not 1 <= len(text) <= _SAID_CHARACTERS or not text.isascii() or not text.isprintable():
        raise ValueError(f"1 to {_SAID_CHARACTERS} printable ASCII characters.")
    return text


@frozen(kw_only=True)
class OwnerConfig:
    """
    Whose a sandbox is.

    A person is an issuer and a subject there, never an e-mail address; `coral-gate user list` shows both.
    """

    issuer: str = field(
        metadata=key("issuer", Spelled('an issuer such as "https://accounts.google.com"', _said, str), "As in `[sign_in]`.", since="0.1")
    )
    subject: str = field(metadata=key("subject", Spelled("a subject", _said, str), "The `sub` that the issuer gives them.", since="0.1"))

    @property
    def who(self) -> UserId:
        """The person."""
        return UserId(self.issuer, self.subject)


@frozen(kw_only=True)
class SandboxConfig:
    """
    A sandbox that is there already, such as a service on the same machine for a try-out.

    Its id is its host name below `gate.sandbox_site` and must never be used for another one: what a browser keeps for
    the host would meet the wrong sandbox.
    """

    id: SandboxId = field(
        metadata=key(
            "id",
            Spelled('an id such as "aaaaaaaaaaaaaaaaaaaaaaaaaa"', _id, str),
            "26 characters of `a-z` and `2-7`, drawn at random.",
            since="0.1",
        )
    )
    name: str = field(
        metadata=key("name", Spelled('a name such as "Try-out"', _name, str), "What people read: 1 to 64 characters.", since="0.1")
    )
    app: LinkConfig = field(metadata=key("app", LINK, "The link to its web service.", since="0.1"))
    open: bool = field(
        default=False,
        metadata=key(
            "open",
            Switch(),
            """
            Whether it is served without asking anybody to sign in. For trying out only: it is refused unless every
            listener is bound to a loopback address.
            """,
            since="0.1",
        ),
    )
    speaks: str = field(
        default="openclaw",
        metadata=key(
            "speaks",
            Choice({"openclaw": "openclaw", "http": "http"}),
            """
            What its web service is. To OpenClaw the gate shows the sandbox's credential, and lets through what OpenClaw's own
            UI asks for; `http` is any other service: it gets no credential, and all of its paths pass.
            """,
            since="0.1",
        ),
    )
    owner: OwnerConfig | None = field(
        default=None,
        metadata=key("owner", Table(OwnerConfig), "The one person who may use it.", since="0.1"),
    )
