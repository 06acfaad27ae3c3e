"""The daemon's stores in a command, whether or not the daemon runs; no key is needed for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import frozen

from coral_gate.cli.recording import CommandSink
from coral_gate.config import Config
from coral_gate.interfaces import IAuditSink
from coral_gate.stores.providers import Stores, database_stores
from coral_gate.stores.sqlite import open_beside


@frozen
class StoresBeside:
    """What a command works on; everything is done at once."""

    stores: Stores
    audit: IAuditSink
    now: datetime


@contextmanager
def stores_beside_the_daemon(config: Config) -> Iterator[StoresBeside]:
    """
    Open the stores, and close them in the end.

    :raises ConfigError: the database cannot be used; the sentence says what to do.
    """
    now = datetime.now(UTC)
    config.gate.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_beside(config.gate.state_directory, now)
    audit = CommandSink(config.gate.state_directory)
    try:
        yield StoresBeside(database_stores(database), audit, now)
    finally:
        audit.close()
        database.close()
