"""Locking a sandbox and giving it back, whether or not the daemon runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from coral_gate.cli.exits import Exit
from coral_gate.cli.persons import OPERATOR, Wrong
from coral_gate.records import Because

if TYPE_CHECKING:
    from argparse import Namespace

    from coral_gate.cli.stores_beside import StoresBeside
    from coral_gate.config import Config
    from coral_gate.model import SandboxId

MOST_WHY: Final = 200

_CONFIGURED: Final = (
    "This sandbox is named in the configuration and has no row to lock. Take it out of there and restart the daemon, "
    "or disable its owner with 'coral-gate user disable'."
)


def set_lock(args: Namespace, config: Config) -> int:
    """
    Lock, or give back, recorded before; then let a running daemon know.

    :raises Wrong: there is no such sandbox, it is the configuration's, or the words are too many.
    """
    from coral_gate.cli.daemon import follow_if_running
    from coral_gate.cli.stores_beside import stores_beside_the_daemon

    why: str | None = args.why if args.what == "lock" else None
    if why is not None and (not why.isprintable() or not 1 <= len(why) <= MOST_WHY):
        raise Wrong(f"The words for the owner are 1 to {MOST_WHY} printable characters.")
    if any(one.id == args.id for one in config.sandboxes):
        raise Wrong(_CONFIGURED)
    with stores_beside_the_daemon(config) as beside:
        changed = _change(beside, args.id, why)
    told = follow_if_running(config) if changed else None
    if args.json:
        print(json.dumps({"id": args.id, "locked": why, "changed": changed, "daemon_told": told}, indent=2))
        return Exit.OK
    state = "locked" if why is not None else "not locked"
    news = {None: "as it was", True: "the daemon knows", False: "no daemon runs, or it learns of it within a second"}[told]
    print(f"{args.id}  {state}; {news}")
    return Exit.OK


def _change(beside: StoresBeside, sandbox: SandboxId, why: str | None) -> bool:
    """Before it takes effect it is recorded; False where it is so already."""
    from coral_gate.audit.events import LockChanged
    from coral_gate.cli.finished import finished

    row = finished(beside.stores.sandboxes.find(OPERATOR, sandbox))
    if row is None or row.destroyed_at is not None:
        raise Wrong("There is no such sandbox; 'coral-gate sandbox list' shows those there are.")
    if row.locked == why:
        return False
    event = LockChanged(sandbox=sandbox, change="lifted" if why is None else "set", why=why or "", reason="operator")
    finished(beside.audit.record(event))
    because = Because("unlocked by the operator" if why is None else why, beside.now)
    return finished(beside.stores.sandboxes.lock(OPERATOR, sandbox, why, because)) is not None
