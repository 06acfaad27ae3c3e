"""`[keys]`: the master key, and the folder of users' keys."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from coral_gate.config.definitions import key
from coral_gate.config.kinds import FilePath
from coral_gate.config.secret_sources import SecretReference, SecretSource


@frozen(kw_only=True)
class KeysConfig:
    """
    The keys that seal what is kept of users: their sandboxes' credentials above all.

    Each user has a key of their own, which the master key seals. Without a master key nothing is sealed or opened, so
    no sandbox can be reached that asks for a credential. `docs/custody.md` says what to back up, and what never to.
    """

    master: SecretSource | None = field(
        default=None,
        metadata=key(
            "master",
            SecretReference(),
            """
            The master key: 32 bytes, 64 hexadecimal digits or 44 characters of base64; or a line for each version,
            such as `2:` and the key, the first line being the current one. `coral-gate keys init` makes one. If it is
            missing the daemon does not start; if it is not the one that was used before, the daemon starts, is not
            ready, and refuses to open or seal anything.
            """,
            since="0.1",
        ),
    )
    folder: Path = field(
        default=Path("keys"),
        metadata=key(
            "folder",
            FilePath("a path", False),
            """
            The folder of users' keys, for the daemon's user alone (mode 0700). A relative path is taken from
            `gate.state_directory`. Keep it out of snapshots and of the backup of the rest: a key that is destroyed here
            lives on in every copy.
            """,
            since="0.1",
        ),
    )
    escrow: Path | None = field(
        default=None,
        metadata=key(
            "escrow",
            FilePath(),
            """
            The public half of a key that the operator keeps offline (`coral-gate keys escrow-init` makes both). With it,
            a copy of each user's key that is destroyed is kept for seven days, and only the private half opens it.
            """,
            since="0.1",
        ),
    )
