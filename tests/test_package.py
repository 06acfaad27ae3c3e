"""What is committed describes this package truly, and carries nothing of the machine it was written on."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from coral_gate import __version__
from tests import ROOT, documentation, imports, run
from tests.integration import needs
from tools import environment

LOCKS = ("requirements.lock", "requirements-test.lock")
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^ ;]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)

_BROUGHT_BY = {"zope": "twisted", "OpenSSL": "twisted", "service_identity": "twisted", "hyperlink": "twisted", "attr": "attrs"}
"""Modules to the requirement that brings them, where the two differ."""


def setup_cfg() -> configparser.ConfigParser:
    """The package's description."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((ROOT / "setup.cfg").read_text())
    return parser


def names(requirements: str) -> set[str]:
    """The packages that a list of requirements names."""
    found = (re.match(r"[A-Za-z0-9._-]+", line.strip()) for line in requirements.splitlines())
    return {match[0].lower().replace("_", "-") for match in found if match}


def pins(lock: str) -> dict[str, str]:
    """Package to version, as a lock file pins them."""
    return {name: version for name, version, _ in _PIN.findall((ROOT / lock).read_text())}


class LockTests(SynchronousTestCase):
    """The lock files."""

    def test_every_pin_has_its_hashes(self) -> None:
        """Every requirement is one version with at least one hash; nothing else is installed."""
        for lock in LOCKS:
            lines = [line for line in (ROOT / lock).read_text().splitlines() if re.match(r"[a-zA-Z0-9]", line)]
            self.assertGreater(len(lines), 20, lock)
            self.assertEqual(len(pins(lock)), len(lines), lock)

    def test_all_that_is_asked_for_is_pinned(self) -> None:
        """What setup.cfg asks for stands in the locks; `make lock` was not forgotten."""
        described = setup_cfg()
        runtime = names(described["options"]["install_requires"])
        self.assertLessEqual(runtime, set(pins("requirements.lock")))
        self.assertLessEqual(runtime | names(described["options.extras_require"]["test"]), set(pins("requirements-test.lock")))

    def test_tests_run_what_users_run(self) -> None:
        """Both locks pin the same versions."""
        self.assertLessEqual(pins("requirements.lock").items(), pins("requirements-test.lock").items())

    def test_no_index_of_any_machine(self) -> None:
        """Lock files name no index, no host and no path."""
        for lock in LOCKS:
            text = (ROOT / lock).read_text()
            self.assertNotRegex(text, r"(?m)://|^\s*-(?!-hash)|index-url|find-links|trusted-host| /[a-z]", lock)

    def test_no_http2(self) -> None:
        """Nothing brings HTTP/2: it would turn itself on in every TLS listener of twisted.web."""
        self.assertFalse({"h2", "priority"} & set(pins("requirements-test.lock")))


class DescriptionTests(SynchronousTestCase):
    """setup.cfg and what belongs to it."""

    def test_version_is_said_once(self) -> None:
        """The version stands in the package alone."""
        self.assertEqual(setup_cfg()["metadata"]["version"], "attr: coral_gate.__version__")
        self.assertRegex(__version__, r"\A\d+\.\d+\.\d+\Z")

    def test_pyproject_describes_no_package(self) -> None:
        """pyproject.toml says how to build and nothing of what."""
        self.assertEqual(set(tomllib.loads((ROOT / "pyproject.toml").read_text())), {"build-system", "tool"})

    def test_every_import_is_asked_for(self) -> None:
        """What the package imports is brought by a requirement that setup.cfg names, not by a tool of the tests."""
        named = names(setup_cfg()["options"]["install_requires"])
        modules = imports.read_package(ROOT / imports.PACKAGE).values()
        roots = {one.names[0].split(".")[0] for module in modules for one in module.imports}
        others = roots - sys.stdlib_module_names - {imports.PACKAGE}
        self.assertIn("twisted", others)
        self.assertEqual({root for root in others if _BROUGHT_BY.get(root, root) not in named}, set())

    def test_plugin_is_found(self) -> None:
        """twistd finds the plugin, once."""
        self.assertEqual([plugin.tapname for plugin in getPlugins(IServiceMaker) if plugin.tapname == "coral-gate"], ["coral-gate"])

    def test_plugin_folder_is_no_package(self) -> None:
        """An `__init__.py` in `twisted` or `twisted/plugins` would hide Twisted itself, or every other plugin."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])


class CommittedTests(SynchronousTestCase):
    """Every committed text file."""

    def committed(self) -> list[Path]:
        """The files git knows; all files in an unpacked release, which has no git."""
        ran = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        if ran.returncode:
            unpacked = [path for folder in ("coral_gate", "tests", "tools", "etc", "docs") for path in (ROOT / folder).rglob("*")]
            return [path for path in unpacked if path.is_file()]
        return [path for name in ran.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]

    def test_no_path_of_this_checkout(self) -> None:
        """No file says where the checkout lay when it was written."""
        here = str(ROOT).encode()
        self.assertGreater(len(self.committed()), 50)
        self.assertEqual([path for path in self.committed() if here in path.read_bytes()], [])

    def test_nothing_generated(self) -> None:
        """No cache is committed; `dropin.cache` is a pickle that twistd would load."""
        wrong = {"dropin.cache", "__pycache__", ".venv", "build", "dist"}
        self.assertEqual([path for path in self.committed() if wrong & set(path.relative_to(ROOT).parts)], [])


class DocumentationTests(SynchronousTestCase):
    """What tests/documentation.py makes of pydoctor's output."""

    def told(self, what: str, line: int = 3) -> bool:
        """Whether a complaint about a module is passed on: its class's docstring is line 4, its function's line 6."""
        module = Path(self.mktemp()).absolute().with_suffix(".py")
        module.write_text('\n\nclass A:\n    """A."""\n    def f(self):\n        """F."""\n')
        return bool(list(documentation.complaints(f"{module}:{line}: {what}")))

    def test_bad_docstring(self) -> None:
        """A docstring that is not well-formed is told, and so is whatever pydoctor says that is not about a line."""
        self.assertTrue(self.told("bad docstring: Inline literal start-string without end-string."))
        self.assertEqual(list(documentation.complaints("Traceback")), ["Traceback"])

    def test_parameter_that_is_not_there(self) -> None:
        """A parameter that a function does not take is told; on a class, attrs makes the constructor."""
        self.assertTrue(self.told('Documented parameter "x" does not exist', 6))
        self.assertFalse(self.told('Documented parameter "x" does not exist', 4))

    def test_names_of_others(self) -> None:
        """A name between backticks need not be one of ours."""
        self.assertFalse(self.told('Cannot find link target for "reactor"'))


class EnvironmentTests(SynchronousTestCase):
    """What `make setup` does again, and when."""

    def test_quick_when_nothing_changed(self) -> None:
        """The stamps depend on the files alone."""
        self.assertEqual(environment.checkout_digest(), environment.checkout_digest())
        self.assertEqual(environment.requirements_digest(), environment.requirements_digest())

    def test_new_file_is_noticed(self) -> None:
        """A new file of the package changes the stamp: it needs a link of its own in the strict editable installation."""
        top = Path(self.mktemp())
        (top / "coral_gate").mkdir(parents=True)
        for name in ("setup.cfg", "pyproject.toml", "coral_gate/__init__.py"):
            (top / name).write_text("")
        self.patch(environment, "ROOT", top)
        before = environment.checkout_digest()
        (top / "coral_gate" / "new.py").write_text("")
        self.assertNotEqual(environment.checkout_digest(), before)

    def test_old_python_is_named(self) -> None:
        """An interpreter that is too old is told in one line, with what to do."""
        self.patch(environment, "OLDEST", (sys.version_info[0], sys.version_info[1] + 1))
        self.assertRegex(environment.missing(), r"\APython 3\.11 or newer \(.* is 3\.\d+\.\d+\)\. Name another one: .*\Z")

    def test_nothing_missing_here(self) -> None:
        """Where the tests run, nothing is missing."""
        self.assertEqual(environment.missing(), "")


class RunnerTests(SynchronousTestCase):
    """tests/run.py itself."""

    def test_every_folder_has_a_time(self) -> None:
        """Each folder with tests stands in the table and is a package."""
        self.assertEqual(run.complaints(run.folders()), [])

    def test_folder_without_a_time(self) -> None:
        """A folder that is not in the table, and one that is no package, is told."""
        top = Path(self.mktemp())
        (top / "attic").mkdir(parents=True)
        (top / "attic" / "test_x.py").write_text("")
        told = run.complaints(run.folders(top), {})
        self.assertEqual(told, ["tests/attic has no time in BUDGETS_S of tests/run.py.", "tests/attic has no __init__.py."])

    def test_judgement(self) -> None:
        """A folder that is late, dies, runs nothing or ends badly counts as one failure more."""
        good = run.Outcome(passed=3)
        self.assertEqual(run.judge(good, 1, 60, 0), (good, ""))
        self.assertEqual(run.judge(good, 61, 60, 0)[0], run.Outcome(passed=3, failed=1))
        self.assertEqual(run.judge(None, 1, 60, -9)[0], run.Outcome(failed=1))
        self.assertEqual(run.judge(good, 1, 60, 1)[0], run.Outcome(passed=3, failed=1))

    def test_last_line(self) -> None:
        """The sum over folders, in the words that the last line has; where no skip is allowed, skips are failures."""
        total = run.Outcome(2, 1, 1, Counter({"why": 1})) + run.Outcome(1, 0, 1, Counter({"why": 1}))
        self.assertEqual((str(total), total.reasons), ("3 passed, 1 failed, 2 skipped", {"why": 2}))
        self.assertEqual(str(total.without_skips()), "3 passed, 3 failed, 0 skipped")

    def test_reason_for_a_skip(self) -> None:
        """A program that is missing is named with the package that brings it; one that nobody listed is an error."""
        self.patch(needs, "packages", lambda: {"no-such-program": "nothing-such"})
        self.assertEqual(needs.needs("no-such-program"), "needs no-such-program (Debian package nothing-such)")
        self.assertRaises(KeyError, needs.needs, "unlisted")
