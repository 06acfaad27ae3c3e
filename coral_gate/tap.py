"""twistd's entry: `twistd coral-gate --config FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twisted.python import usage

from coral_gate.cli.arguments import DEFAULT_CONFIG
from coral_gate.cli.exits import refuse
from coral_gate.errors import ConfigError

if TYPE_CHECKING:
    from twisted.application.service import IService


class Options(usage.Options):
    """The options of `twistd coral-gate`."""

    optParameters = [["config", "c", DEFAULT_CONFIG, "The configuration file.", Path]]
    longdesc = "Run Coral Gate. Exits with 78 where the configuration cannot be used, having said every problem on stderr."


def makeService(options: Options) -> IService:
    """
    Build the daemon that a configuration describes.

    :raises SystemExit: with 78; the configuration cannot be used, and stderr has every problem.
    """
    from twisted.internet import reactor

    from coral_gate.config import load

    try:
        config = load(options["config"])
        from coral_gate.gateway import build_gateway

        gateway = build_gateway(config, reactor, options["config"])
    except ConfigError as error:
        raise SystemExit(int(refuse(error))) from None
    gateway.log_as(options.parent or {})
    return gateway
