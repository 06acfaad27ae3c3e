"""What each module of the package imports, read from its syntax tree; and the rules about that, as functions that give sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

from attrs import frozen

PACKAGE = "coral_gate"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"tap", "cli"}),
    frozenset({"gateway"}),
    frozenset({"operating"}),
    frozenset({"state"}),
    frozenset({"edge"}),
    frozenset({"gate"}),
    frozenset({"channels"}),
    frozenset({"sandboxes", "custody", "stores", "identity", "audit", "operations", "portal"}),
    frozenset({"http1", "config"}),
    frozenset({"model", "errors", "interfaces", "records", "checks", "visitor"}),
)
"""The rooms and the modules beside them, from the top; each imports only from lower layers, and within its own room."""

BESIDE = {("tap", "cli"), *((a, b) for a in LAYERS[-1] for b in LAYERS[-1])}
"""What may import from its own layer: twistd's entry uses the command's words, and the values of the floor build on each other."""

ONLY_FOR = {"portal": ("channels.portal", "gateway", "cli.*"), "operations": ("gateway", "operating", "edge.*", "cli.*")}
"""Rooms that only these modules, besides their own, may import."""

VALUES = ("audit.event", "audit.events")
"""Values that stand in a room and that every room may import: what it tells that room through an interface."""

PURE = (
    "http1.*",
    "operations.operator_lines",
    "gate.routes",
    "gate.policy",
    "gate.origins",
    "custody.budget",
    "custody.envelope",
    "custody.escrow",
    "custody.generate",
    "custody.leaks",
    "custody.masterkeys",
    "custody.subkeys",
    "custody.wrappedkey",
    "audit.chain",
    "audit.verify",
    "sandboxes.lifecycle",
    "identity.callback",
    "identity.id_token",
    "identity.keys",
    "identity.metadata",
    "identity.person",
    "identity.policy",
    "identity.signature",
    "identity.token_endpoint",
    "identity.local",
    "channels.codecs*",
    "channels.websocket_events",
    "channels.websocket_frames",
    "channels.websocket_handshake",
    "channels.websocket_masking",
    "channels.openclaw",
    "channels.rfb",
    "channels.asciicast",
)
"""Modules that run no Twisted, nor import anything of ours that does; names for the type checker alone are free."""

REACTOR = "twisted.internet.reactor"
REACTOR_INSIDE_FUNCTIONS = ("tap", "cli.*")
BANNED = frozenset(
    {"handler", "manager", "processor", "engine", "helper", "helpers", "util", "utils", "common", "misc", "data", "info", "obj"}
)


@frozen
class Import:
    """
    One import of one name.

    :ivar names: what it may mean, most exact first: `from a import b` means `a.b` where that is a module, else `a`.
    :ivar typing_only: it stands under `if TYPE_CHECKING`.
    :ivar top: it runs when the module is imported.
    """

    names: tuple[str, ...]
    line: int
    typing_only: bool
    top: bool

    def within(self, package: str) -> bool:
        """Whether it imports that package or something of it."""
        return any(name == package or name.startswith(package + ".") for name in self.names)


@frozen
class Module:
    """A module, by its name without the package's (`edge.listener`; the package itself is the empty name)."""

    name: str
    imports: tuple[Import, ...]
    classes: tuple[str, ...]

    @property
    def room(self) -> str:
        """The folder or module right under the package."""
        return self.name.split(".")[0]


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _imports(node: ast.AST, package: str, typing_only: bool = False, top: bool = True) -> Iterator[Import]:
    """Every import below a node, in order."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import((alias.name,), child.lineno, typing_only, top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from _from(child, package, typing_only, top)
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            yield from _imports(ast.Module(child.body, []), package, True, top)
            yield from _imports(ast.Module(child.orelse, []), package, typing_only, top)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, package, typing_only, top and not inside)


def _from(node: ast.ImportFrom, package: str, typing_only: bool, top: bool) -> Iterator[Import]:
    parents = package.split(".")
    base = ".".join([*parents[: len(parents) + 1 - node.level], *filter(None, [node.module])]) if node.level else str(node.module)
    for alias in node.names:
        yield Import((f"{base}.{alias.name}", base), node.lineno, typing_only, top)


def read(name: str, source: str, is_package: bool = False) -> Module:
    """
    Read a module's source.

    :param name: without the package's name.
    :param is_package: it is an `__init__.py`.
    """
    tree = ast.parse(source)
    full = f"{PACKAGE}.{name}".rstrip(".")
    parent = full if is_package else full.rpartition(".")[0]
    classes = tuple(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return Module(name, tuple(_imports(tree, parent)), classes)


def read_package(top: Path) -> dict[str, Module]:
    """Every module of the package at `top`, by name."""
    found = {}
    for path in sorted(top.rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = read(name, path.read_text(), is_package)
    return found


def _target(one: Import, modules: Mapping[str, Module]) -> str | None:
    """The module of ours that an import means, or None; the package itself is the empty name."""
    for name in one.names:
        if name == PACKAGE:
            return ""
        if name.startswith(PACKAGE + "."):
            inner = name.removeprefix(PACKAGE + ".")
            if inner in modules or name == one.names[-1]:
                return inner
    return None


def _layer(room: str) -> int | None:
    return next((number for number, rooms in enumerate(LAYERS) if room in rooms), None)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) or (pattern.endswith(".*") and name == pattern[:-2]) for pattern in patterns)


def _wrong(source: Module, target: str) -> str | None:
    """Why `source` may not import `target`, or None."""
    room = target.split(".")[0]
    here, there = _layer(source.room), _layer(room)
    if room in {source.room, ""} or _matches(target, VALUES):
        return None
    if here is None or there is None:
        return "one of the two stands in no layer of tests/imports.py"
    if here > there:
        return "that is upward"
    if here == there and (source.room, room) not in BESIDE:
        return "rooms side by side meet only through interfaces"
    if room in ONLY_FOR and not _matches(source.name, ONLY_FOR[room]):
        return f"only {', '.join(ONLY_FOR[room])} may"
    return None


def against_the_layers(modules: Mapping[str, Module]) -> list[str]:
    """Imports that go upward or sideways, for types too."""
    told = []
    for module in modules.values():
        if module.name and _layer(module.room) is None:
            told.append(f"{module.name}: stands in no layer of tests/imports.py")
        for one in module.imports:
            target = _target(one, modules)
            if module.name and target is not None and (why := _wrong(module, target)):
                told.append(f"{module.name}:{one.line} imports {target}: {why}")
    return told


def _way_to_twisted(name: str, modules: Mapping[str, Module], seen: set[str]) -> list[str] | None:
    """The modules through which one comes to run Twisted, from `name` on, or None."""
    seen.add(name)
    for one in modules[name].imports:
        if one.typing_only:
            continue
        if one.within("twisted"):
            return [name, one.names[0]]
        target = _target(one, modules)
        if target and target in modules and target not in seen and (rest := _way_to_twisted(target, modules, seen)):
            return [name, *rest]
    return None


def impure(modules: Mapping[str, Module]) -> list[str]:
    """Pure modules that run Twisted, and by which way."""
    ways = (_way_to_twisted(name, modules, set()) for name in modules if _matches(name, PURE))
    return [" imports ".join(way) for way in ways if way]


def reactor_imports(modules: Mapping[str, Module]) -> list[str]:
    """Imports of the global reactor: never when a module is imported, inside functions in few places."""
    return [
        f"{module.name}:{one.line} imports {REACTOR}"
        for module in modules.values()
        for one in module.imports
        if REACTOR in one.names and not one.typing_only and (one.top or not _matches(module.name, REACTOR_INSIDE_FUNCTIONS))
    ]


def _words(name: str) -> set[str]:
    """The words of a module's or class's name, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def says_nothing(modules: Mapping[str, Module]) -> list[str]:
    """Modules and classes with a word in their names that says nothing."""
    named = [(f"module {module.name}", module.name.rpartition(".")[2]) for module in modules.values()]
    named += [(f"class {module.name}.{name}", name) for module in modules.values() for name in module.classes]
    return [f"{shown}: '{word}' says nothing" for shown, name in named for word in sorted(_words(name) & BANNED)]
