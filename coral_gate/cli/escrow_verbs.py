"""`coral-gate keys escrow-init`, `escrow-open` and `escrow-restore`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from coral_gate.cli import private_files
from coral_gate.cli.beside import beside_the_daemon
from coral_gate.cli.exits import Exit
from coral_gate.cli.finished import finished
from coral_gate.config import load
from coral_gate.custody.envelope import KEY_BYTES, MAX_KEY_VERSION
from coral_gate.custody.escrow import open_escrow, read_private_key
from coral_gate.model import Secret, UserId

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

_MOST_BYTES: Final = 65_536
_NOT_OURS: Final = "this is not what `coral-gate keys escrow-open` writes."


def make(args: Namespace) -> int:
    """
    Make the operator's pair of keys, in two new files.

    :raises OSError: one of them is there already, or cannot be written.
    """
    private = X25519PrivateKey.generate()
    private_files.write_new(args.private, Secret(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        private_files.write_new(args.public, Secret(public))
    except OSError:
        args.private.unlink()
        raise
    args.public.chmod(0o644)
    print(f"{args.private}: keep it offline; whoever has it opens every escrow copy.")
    print(f"{args.public}: bring it to the gate, and name it in the configuration: [keys] escrow.")
    return Exit.OK


def unseal(args: Namespace) -> int:
    """
    Open an escrow copy and write the user's key to a new file.

    :raises OSError: a file cannot be read or written.
    :raises ValueError: the private key is none.
    :raises SealBroken: the copy does not open.
    """
    operator = read_private_key(private_files.read(args.private_key))
    escrowed = open_escrow(_read(args.copy), operator)
    owner = {"issuer": escrowed.owner.iss, "subject": escrowed.owner.sub}
    facts = {**owner, "version": escrowed.version, "destroyed_at": escrowed.destroyed_at.isoformat()}
    private_files.write_new(args.write_to, Secret(json.dumps({**facts, "key": escrowed.key.reveal().hex()}, indent=2).encode()))
    print(f"{args.write_to}: the key of {owner['subject']!r} at {owner['issuer']!r}, destroyed at {facts['destroyed_at']}.")
    return Exit.OK


def restore(args: Namespace) -> int:
    """
    Give a user their key back.

    :raises OSError: the file cannot be read.
    :raises ValueError: it is not what `escrow-open` writes, or the user has a key.
    :raises ConfigError: the configuration, or what it names, cannot be used.
    :raises KeysUnavailable: nothing can be sealed.
    """
    owner, version, key = _opened(private_files.read(args.opened))
    with beside_the_daemon(load(args.config)) as beside:
        if not finished(beside.custody.user_keys.restore(owner, version, key)):
            raise ValueError("the user has a key by now; it was not replaced.")
    print(f"The key of {owner.sub!r} at {owner.iss!r} is back. Destroy {args.opened}.")
    return Exit.OK


def _opened(content: Secret) -> tuple[UserId, int, Secret]:
    try:
        facts: dict[str, Any] = json.loads(content.reveal())  # Any: what JSON holds
        iss, sub, version = facts["issuer"], facts["subject"], facts["version"]
        key = Secret(bytes.fromhex(facts["key"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(_NOT_OURS) from None
    strange = not isinstance(iss, str) or not isinstance(sub, str) or type(version) is not int
    if strange or not 1 <= version <= MAX_KEY_VERSION or len(key.reveal()) != KEY_BYTES:
        raise ValueError(_NOT_OURS)
    return UserId(iss, sub), version, key


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)
