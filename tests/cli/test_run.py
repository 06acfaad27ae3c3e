"""`coral-gate run` is twistd in the foreground."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.cli import run
from coral_gate.cli.arguments import DEFAULT_CONFIG


class RunTests(SynchronousTestCase):
    """The twistd command line that the verb stands for."""

    def parse(self, config: Path) -> ServerOptions:
        """Have twistd itself read the words."""
        options = ServerOptions()
        options.parseOptions(run.twistd_words(config)[1:])
        return options

    def test_foreground_without_pidfile(self) -> None:
        """The daemon stays in the foreground and leaves no pid file."""
        options = self.parse(Path("/tmp/gate.toml"))
        self.assertEqual((options["nodaemon"], options["pidfile"]), (True, ""))

    def test_config_reaches_the_daemon(self) -> None:
        """The configuration's path is the daemon's own option."""
        options = self.parse(Path("/tmp/a gate.toml"))
        self.assertEqual((options.subCommand, options.subOptions["config"]), ("coral-gate", Path("/tmp/a gate.toml")))

    def test_same_default_as_twistd(self) -> None:
        """Without `--config`, the command and the twistd plugin look in the same place."""
        parser = ArgumentParser()
        run.arguments(parser)
        [plugin] = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "coral-gate"]
        options = plugin.options()
        options.parseOptions([])
        self.assertEqual((parser.parse_args([]).config, options["config"]), (DEFAULT_CONFIG, DEFAULT_CONFIG))
