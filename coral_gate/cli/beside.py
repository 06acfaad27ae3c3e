"""The daemon's stores and keys in a command, whether or not the daemon runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import frozen
from twisted.internet.task import Clock

from coral_gate.cli.recording import CommandSink
from coral_gate.config import Config
from coral_gate.custody.configured import Custody, custody
from coral_gate.custody.threads import at_once
from coral_gate.stores.providers import Stores, database_stores
from coral_gate.stores.sqlite import open_beside


@frozen
class Beside:
    """What a command works on; everything is done at once."""

    stores: Stores
    custody: Custody


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def beside_the_daemon(config: Config) -> Iterator[Beside]:
    """
    Open the stores and the keys, and close them in the end.

    :raises ConfigError: something cannot be used; every sentence says what to do.
    """
    config.gate.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_beside(config.gate.state_directory, _now())
    audit = CommandSink(config.gate.state_directory)
    try:
        stores = database_stores(database)
        # What a command opens is gone with it: no clock ever runs.
        keeping = custody(config.keys, stores.credentials, audit, Clock(), at_once, _now)
        keeping.open()
        try:
            yield Beside(stores, keeping)
        finally:
            keeping.close()
    finally:
        audit.close()
        database.close()
