"""`[local]`: sandboxes that are OpenClaw processes on the gate's own machine, for trying out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.kinds import FilePath, Spelled, duration
from coral_gate.config.places import Place
from coral_gate.config.secret_sources import SecretReference, SecretSource

_UIDS: Final = re.compile(r"([1-9][0-9]{0,9})-([1-9][0-9]{0,9})\Z")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(?:/[A-Za-z0-9._~/-]{0,512})?\Z")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_LOWEST_UID: Final = 1000
_HIGHEST_UID: Final = 2**31 - 1


def _uids(text: str) -> range:
    found = _UIDS.match(text)
    if found is None or not _LOWEST_UID <= int(found[1]) <= int(found[2]) <= _HIGHEST_UID:
        raise ValueError(f"A range is two numbers from {_LOWEST_UID} to {_HIGHEST_UID} with a hyphen between.")
    return range(int(found[1]), int(found[2]) + 1)


def _show_uids(uids: range) -> str:
    return f"{uids.start}-{uids.stop - 1}"


def _url(text: str) -> str:
    if not _URL.match(text):
        raise ValueError("Write the address before /chat/completions, without a user, a query or a fragment.")
    return text


def _model(text: str) -> str:
    if not _MODEL.match(text):
        raise ValueError("A model's name is 1 to 128 letters, digits and . _ : -")
    return text


def _key_has_a_model(place: Place, model_url: str | None, model_key: SecretSource | None) -> None:
    if model_url is None and model_key is not None:
        place.at("model_key").record("There is no model that this key is for.", "Set local.model_url.")


@frozen(kw_only=True)
class LocalConfig:
    """
    Sandboxes for trying out: each is an OpenClaw process on the gate's own machine.

    It keeps nobody from anything that the process's user may do, and is refused unless every listener is bound to a loopback
    address and both names end in `.localhost`. `docs/sandboxes.md` says what separates such sandboxes from the gate, and what
    does not.
    """

    node: Path = field(metadata=key("node", FilePath(), "The `node` executable, of a version that OpenClaw takes.", since="0.1"))
    openclaw: Path = field(
        metadata=key("openclaw", FilePath(), "`openclaw.mjs` in the folder where npm has installed OpenClaw.", since="0.1")
    )
    folder: Path = field(
        default=Path("sandboxes"),
        metadata=key(
            "folder",
            FilePath("a path", False),
            """
            Where each sandbox's files are, in a folder named by its id. A relative path is taken from `gate.state_directory`. With
            `uids` it must be in a place that other users may pass through, so not in the state directory.
            """,
            since="0.1",
        ),
    )
    uids: range | None = field(
        default=None,
        metadata=key(
            "uids",
            Spelled('a range of user ids such as "200000-200999"', _uids, _show_uids),
            """
            User ids that nobody else on this machine has; each sandbox runs as one of its own. Only a gate that runs as root can do
            that. Without it sandboxes run as the gate's own user, and whatever an agent does can read the gate's keys.
            """,
            since="0.1",
        ),
    )
    model_url: str | None = field(
        default=None,
        metadata=key(
            "model_url",
            Spelled('an address such as "https://api.openai.com/v1"', _url, str),
            "The model that agents ask: an API in the manner of OpenAI's chat completions. Without it OpenClaw's own settings stand.",
            since="0.1",
        ),
    )
    model: str = field(
        default="default", metadata=key("model", Spelled("a model's name", _model, str), "The model's name there.", since="0.1")
    )
    model_key: SecretSource | None = field(
        default=None,
        metadata=key(
            "model_key",
            SecretReference(),
            "Where the key for that API is. It is written into each sandbox's own settings, where its agent can read it.",
            since="0.1",
        ),
    )
    start_s: float = field(
        default=120.0,
        metadata=key("start", duration("5s", "10m"), "How long OpenClaw may take until it answers.", since="0.1"),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (rule(_key_has_a_model, "model_url", "model_key"),)
