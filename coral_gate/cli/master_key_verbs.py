"""`coral-gate keys init`, `rotate` and `status`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from coral_gate.cli import private_files
from coral_gate.cli.beside import beside_the_daemon
from coral_gate.cli.exits import Exit
from coral_gate.cli.finished import finished
from coral_gate.config import load
from coral_gate.custody.envelope import KEY_BYTES, MAX_KEY_VERSION
from coral_gate.custody.masterkeys import MasterKeys, parse_master_keys, show_master_keys
from coral_gate.model import Secret

if TYPE_CHECKING:
    from argparse import Namespace


def init(args: Namespace) -> int:
    """
    Write a new master key, which is version 1, to a new file.

    :raises OSError: the file is there already, or cannot be written.
    """
    keys = MasterKeys(1, {1: Secret(os.urandom(KEY_BYTES))})
    private_files.write_new(args.file, show_master_keys(keys))
    print(f"{args.file}: a new master key, version 1. Keep a copy where the machine's backups are not: without it nothing opens.")
    print(f'Name it in the configuration: [keys] master = "file:{args.file.absolute()}"')
    return Exit.OK


def rotate(args: Namespace) -> int:
    """
    Put a new version in front of those in a file.

    :raises OSError: the file cannot be read or written.
    :raises ValueError: it holds no master keys, or no further version fits.
    """
    keys = parse_master_keys(private_files.read(args.file))
    version = max(keys.keys) + 1
    if version > MAX_KEY_VERSION:
        raise ValueError("there is no higher version.")
    more = MasterKeys(version, {**keys.keys, version: Secret(os.urandom(KEY_BYTES))})
    content = show_master_keys(more)
    parse_master_keys(content)
    private_files.replace(args.file, content)
    print(f"{args.file}: version {version} is current. Keep a copy, then let the daemon reload; it wraps every user's key anew.")
    print("Take older versions out when `coral-gate keys status` shows none in use.")
    return Exit.OK


def status(args: Namespace) -> int:
    """
    Say whether the master key can be used, and how many users' keys are under each version; 69 if it cannot.

    :raises ConfigError: the configuration, or what it names, cannot be used.
    """
    with beside_the_daemon(load(args.config)) as beside:
        state = beside.custody.keyring.state()
        versions = finished(beside.custody.user_keys.versions()) if state.ready else {}
        current = beside.custody.keyring.current() if state.ready else None
    if args.json:
        facts = {"state": state.condition.value, "why": state.why, "current": current, "user_keys": versions}
        print(json.dumps(facts, indent=2))
    else:
        print(state.why)
        for version, count in sorted(versions.items()):
            under = f"version {version}" if version else "beyond reading"
            print(f"{under:<16}{count} users' keys")
    return Exit.OK if state.ready else Exit.UNAVAILABLE
