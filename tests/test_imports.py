"""Imports run one way, pure modules run no Twisted, nobody takes the global reactor, and names say something."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT, imports

TOP = ROOT / imports.PACKAGE


class PackageTests(SynchronousTestCase):
    """The rules hold in the package as it stands."""

    def setUp(self) -> None:
        self.modules = imports.read_package(TOP)
        self.assertGreater(len(self.modules), 50)

    def assertNothing(self, told: list[str]) -> None:
        """Fail with every sentence."""
        self.assertEqual(told, [], "\n" + "\n".join(told))

    def test_imports_run_one_way(self) -> None:
        """Each room imports from lower layers only, and never from the room beside it."""
        self.assertNothing(imports.against_the_layers(self.modules))

    def test_pure_modules_run_no_twisted(self) -> None:
        """Protocol and decision modules import no Twisted, nor anything of ours that does."""
        self.assertNothing(imports.impure(self.modules))

    def test_nobody_takes_the_global_reactor(self) -> None:
        """The reactor is an argument: only tap and cli import it, and only inside functions."""
        self.assertNothing(imports.reactor_imports(self.modules))

    def test_names_say_something(self) -> None:
        """No module or class is named with a word that fits everything."""
        self.assertNothing(imports.says_nothing(self.modules))

    def test_importing_everything_installs_no_reactor(self) -> None:
        """Whoever starts the daemon can still choose the reactor after every module was imported."""
        names = [f"{imports.PACKAGE}.{name}".rstrip(".") for name in self.modules]
        program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
        program += "print(sys.modules.get('twisted.internet.reactor'))"
        ran = subprocess.run([sys.executable, "-c", program, *names], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(ran.stdout, "None\n", ran.stderr)


class RuleTests(SynchronousTestCase):
    """Each rule sees what breaks it."""

    def package(self, **sources: str) -> dict[str, imports.Module]:
        """Modules by name (`__` stands for a dot) and source."""
        named = {name.replace("__", "."): source for name, source in sources.items()}
        return {name: imports.read(name, source) for name, source in named.items()}

    def layers(self, **sources: str) -> list[str]:
        """What the layers' rule says of these modules."""
        return imports.against_the_layers(self.package(**sources))

    def test_downward_is_allowed(self) -> None:
        """A room imports from lower layers and from itself, and the floor from the floor."""
        told = self.layers(
            edge__a="from coral_gate.gate.b import B\nfrom coral_gate.edge.c import C\nfrom coral_gate import errors, __version__",
            gate__b="from coral_gate.http1 import head",
            edge__c="import coral_gate.model",
            http1__head="from coral_gate.errors import Fault",
            errors="from coral_gate.model import X",
            model="",
            tap="from coral_gate.cli.main import main",
            cli__main="",
        )
        self.assertEqual(told, [])

    def test_upward(self) -> None:
        """An import from a higher layer is told, in every spelling."""
        for source in (
            "from coral_gate.gate.b import B",
            "import coral_gate.gate.b",
            "from coral_gate import gate",
            "from coral_gate.gate import b",
            "from ..gate import b",
            "from ..gate.b import B",
            "def f():\n    from coral_gate.gate.b import B",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from coral_gate.gate.b import B",
        ):
            told = self.layers(channels__a=source, gate__b="", gate="")
            self.assertEqual(len(told), 1, source)
            self.assertIn("that is upward", told[0])

    def test_sideways(self) -> None:
        """Rooms of one layer do not import each other."""
        told = self.layers(custody__a="from coral_gate.stores.b import B", stores__b="")
        self.assertEqual(told, ["custody.a:1 imports stores.b: rooms side by side meet only through interfaces"])

    def test_no_layer(self) -> None:
        """A room that nobody placed in a layer is told."""
        self.assertEqual(self.layers(attic="", model=""), ["attic: stands in no layer of tests/imports.py"])

    def test_values_of_a_room(self) -> None:
        """The events that audit records are values for every room; what acts on them is not."""
        source = "from coral_gate.audit.events import E\nfrom coral_gate.audit.sinks import S"
        told = self.layers(custody__a=source, interfaces=source, audit__events="", audit__sinks="")
        self.assertEqual([sentence.split(":")[1].split()[0] for sentence in told], ["2", "2"], told)

    def test_reserved_rooms(self) -> None:
        """The portal is for its channel and the wiring alone."""
        self.assertEqual(self.layers(channels__portal="import coral_gate.portal.site", portal__site=""), [])
        self.assertEqual(len(self.layers(channels__chat="import coral_gate.portal.site", portal__site="")), 1)

    def test_twisted_in_a_pure_module(self) -> None:
        """A pure module that imports Twisted is told; for its types alone it may."""
        typing_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from twisted.python.failure import Failure"
        self.assertEqual(imports.impure(self.package(http1__head=typing_only)), [])
        self.assertEqual(
            imports.impure(self.package(http1__head="from twisted.python.failure import Failure")),
            ["http1.head imports twisted.python.failure.Failure"],
        )

    def test_twisted_behind_a_pure_module(self) -> None:
        """A pure module that imports one that imports Twisted is told, with the way."""
        told = imports.impure(self.package(gate__policy="from coral_gate.gate.x import X", gate__x="import twisted.web"))
        self.assertEqual(told, ["gate.policy imports gate.x imports twisted.web"])

    def test_reactor(self) -> None:
        """The reactor may be imported inside functions of tap and cli, and nowhere else."""
        top, inside = "from twisted.internet import reactor", "def f():\n    import twisted.internet.reactor"
        self.assertEqual(imports.reactor_imports(self.package(tap=inside, cli__run=inside)), [])
        self.assertEqual(len(imports.reactor_imports(self.package(tap=top, cli__run=top, edge__a=top, edge__b=inside))), 4)

    def test_names(self) -> None:
        """A banned word is told where it is a word of its own, and not inside another."""
        modules = self.package(
            edge__request_utils="class LockManager: ...\nclass IPHandler: ...",
            edge__metadata="class IssuerMetadata: ...\nclass HTTPInformation: ...",
        )
        self.assertEqual(
            imports.says_nothing(modules),
            [
                "module edge.request_utils: 'utils' says nothing",
                "class edge.request_utils.LockManager: 'manager' says nothing",
                "class edge.request_utils.IPHandler: 'handler' says nothing",
            ],
        )
