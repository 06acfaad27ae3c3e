"""The `coral-gate` command finds its verb and says clearly what it did not understand."""

from __future__ import annotations

import io
import subprocess
import sys
import types
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from coral_gate import __version__
from coral_gate.cli import main, verbs
from coral_gate.cli.exits import Exit
from coral_gate.errors import ConfigError, Problem
from tests import ROOT


def command(*words: str) -> tuple[int, str, str]:
    """Run the command in this process: its exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main.main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


def with_verb(name: str, run: object) -> mock._patch_dict:
    """The command with one more verb, of which only `run` matters."""
    module = types.ModuleType("tests.cli.a_verb")
    module.__dict__.update(SUMMARY="Try", EXAMPLE=f"coral-gate {name}", arguments=lambda parser: None, run=run)
    sys.modules[module.__name__] = module
    return mock.patch.dict(verbs.VERBS, {name: module.__name__})


class CommandTests(SynchronousTestCase):
    """What the command does before a verb takes over."""

    def test_help_shows_every_verb_and_an_example(self) -> None:
        """`--help` exits with 0, names each verb with its summary, and shows a command line to try."""
        code, out, err = command("--help")
        self.assertEqual((code, err), (Exit.OK, ""))
        for name in verbs.VERBS:
            self.assertIn(f"  {name:<12}{verbs.load(name).SUMMARY}\n", out)
        self.assertIn("example:\n  coral-gate run --config ", out)

    def test_no_word(self) -> None:
        """Without a verb the help goes to stderr and the exit code says wrong usage."""
        code, out, err = command()
        self.assertEqual((code, out), (Exit.USAGE, ""))
        self.assertIn("verbs:", err)

    def test_version(self) -> None:
        """`--version` prints the package's version."""
        self.assertEqual(command("--version"), (Exit.OK, f"coral-gate {__version__}\n", ""))

    def test_a_slip_of_the_finger(self) -> None:
        """An unknown verb exits with 2 and suggests the one that was probably meant."""
        self.assertEqual(command("chekc"), (Exit.USAGE, "", "coral-gate: there is no verb 'chekc'; did you mean 'check'?\n"))

    def test_unlike_any_verb(self) -> None:
        """An unknown verb that is like none says where to look."""
        self.assertEqual(
            command("zzz"), (Exit.USAGE, "", "coral-gate: there is no verb 'zzz'; 'coral-gate --help' lists the verbs.\n")
        )

    def test_configuration_refused(self) -> None:
        """A configuration that cannot be used exits with 78 and prints each problem on a line of its own."""
        problems = (Problem("a.toml:3", "listen", "Wrong."), Problem("a.toml:7", "portal", "Missing."))

        def run(args: Namespace) -> int:
            raise ConfigError(problems)

        with with_verb("try", run):
            self.assertEqual(command("try"), (Exit.CONFIGURATION, "", f"{problems[0]}\n{problems[1]}\n"))

    def test_exit_code_is_the_verbs(self) -> None:
        """The command exits with what its verb gives."""
        with with_verb("try", lambda args: Exit.UNAVAILABLE):
            self.assertEqual(command("try")[0], 69)

    def test_wrong_argument(self) -> None:
        """A verb's unknown argument exits with 2."""
        code, out, err = command("run", "--no-such-thing")
        self.assertEqual((code, out), (Exit.USAGE, ""))
        self.assertIn("--no-such-thing", err)


class VerbTests(SynchronousTestCase):
    """What every verb's module gives."""

    def test_every_verb_shows_an_example_and_how_to_use_it(self) -> None:
        """Each verb's `--help` exits with 0 and shows at least one full command line of that verb."""
        for name in verbs.VERBS:
            code, out, _ = command(name, "--help")
            self.assertEqual(code, Exit.OK, name)
            self.assertIn(f"example:\n  coral-gate {name}", out)

    def test_summaries_are_a_line(self) -> None:
        """Each verb's summary is one line that does not end in a full stop."""
        for name in verbs.VERBS:
            summary = verbs.load(name).SUMMARY
            self.assertNotIn("\n", summary)
            self.assertFalse(summary.endswith("."), name)
            self.assertLessEqual(len(summary), 90, name)

    def test_modules_fit_the_protocol(self) -> None:
        """Each verb's module has what `Verb` asks for."""
        for name in verbs.VERBS:
            verb = verbs.load(name)
            verb.arguments(ArgumentParser())
            self.assertTrue(callable(verb.run), name)

    def test_a_verb_is_imported_only_when_used(self) -> None:
        """The command starts without any verb's module, and without Twisted."""
        program = "import sys, coral_gate.cli.main; print([m for m in sys.modules if m in sys.argv[1:] or m == 'twisted'])"
        ran = subprocess.run([sys.executable, "-c", program, *verbs.VERBS.values()], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(ran.stdout, "[]\n")
