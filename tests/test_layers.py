import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "labrunner"
MODULES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}

# Which modules alone may do what, as paths below src/labrunner.
DOORS = {
    "subprocess": {"environment/commands.py", "sandbox/process.py", "services/processes.py"},
    "docker": {"services/containers.py"},
    "testcontainers": {"services/containers.py"},
    "rich": {"cli/console.py"},
}
LINES_OF_A_MODULE = 300
LINES_OF_A_FUNCTION = 40
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
MUTABLE = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
PROMISES = {"Final", "Mapping", "Sequence", "Collection", "Iterable", "Set", "frozenset"}
CACHES = {"cache", "lru_cache"}

Rule = Callable[[ast.Module], Iterator[int]]


# ── the rules: each yields the lines on which a module breaks it ────────────────────────────────


def imports_of(*packages: str) -> Rule:
    def rule(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    found = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), level=0):
                    found = [module]
                case _:
                    continue
            if any(name.partition(".")[0] in packages for name in found):
                yield node.lineno

    return rule


def uses_of(*names: str) -> Rule:
    """Finds names like "print" and dotted ones like "time.sleep", which `from time import sleep` is too."""

    def rule(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name):
                    found = {name}
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    found = {f"{owner}.{name}"}
                case ast.ImportFrom(module=str(module), names=aliases):
                    found = {f"{module}.{alias.name}" for alias in aliases}
                case _:
                    continue
            if found & set(names):
                yield node.lineno

    return rule


def module_state(tree: ast.Module) -> Iterator[int]:
    """Finds mutable values at module level, `global`, and caches that live as long as the module.

    A list, dict or set is let through where its name is in capitals or its annotation promises that nobody
    changes it: Final, or a type without methods that would.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Global():
                yield node.lineno
            case ast.FunctionDef(decorator_list=decorators) if any(map(_is_cache, decorators)):
                yield node.lineno
    for node in tree.body:
        match node:
            case ast.Assign(targets=targets, value=value) if _is_mutable(value):
                if not all(isinstance(name, ast.Name) and _is_constant(name.id) for name in targets):
                    yield node.lineno
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
                promised = ast.unparse(annotation).partition("[")[0].rpartition(".")[2]
                frozen = promised in {
                    "Final",
                    "Mapping",
                    "Sequence",
                    "frozenset",
                    "Set",
                    "Collection",
                    "Iterable",
                }
                if _is_mutable(value) and not frozen and not _is_constant(name):
                    yield node.lineno


def long_functions(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _size(node) > LINES_OF_A_FUNCTION:
            yield node.lineno


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in MUTABLE
    return False


def _is_constant(name: str) -> bool:
    return name == "__all__" or name.isupper()


def _is_cache(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] in CACHES


def _size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's statements: without its docstring, its comments and its blank lines."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return len({line for statement in body for node in ast.walk(statement) for line in _lines(node)})


def _lines(node: ast.AST) -> Iterable[int]:
    first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
    if first is None or last is None:
        return ()
    # What has a body spans the blanks and comments in it, so only its first line is its own.
    outer = isinstance(node, ast.stmt | ast.excepthandler) and hasattr(node, "body")
    return (first,) if outer else range(first, last + 1)


RULES: dict[str, tuple[Rule, str, str]] = {
    "import of a package": (imports_of("docker"), "import docker.errors", "import dock"),
    "import in a function": (
        imports_of("rich"),
        "def f():\n    from rich.text import Text",
        "from .rich import a",
    ),
    "print": (uses_of("print"), "print(1)", "stream.print(1)"),
    "sleep": (uses_of("time.sleep"), "import time\ntime.sleep(1)", "import time\ntime.monotonic()"),
    "sleep by name": (uses_of("time.sleep"), "from time import sleep", "from time import monotonic"),
    "list": (module_state, "_seen = []", "_SEEN = []"),
    "annotated dict": (module_state, "_seen: dict[str, int] = {}", "_seen: Mapping[str, int] = {}"),
    "deque": (module_state, "import collections\nseen = collections.deque()", "seen = tuple([1])"),
    "list of a function": (module_state, "def f():\n    global seen", "def f():\n    seen = []"),
    "cache": (module_state, "@functools.lru_cache(1)\ndef f(): ...", "@property\ndef f(): ..."),
    "long function": (
        long_functions,
        "def f():\n" + "    a()\n" * 41,
        'def f():\n    """One.\n\n    Two."""\n\n    # three\n' + "    a()\n\n" * 40,
    ),
}


# ── the tests ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", RULES)
def test_every_rule_sees_what_it_forbids_and_nothing_else(name: str) -> None:
    rule, forbidden, allowed = RULES[name]

    assert list(rule(ast.parse(forbidden)))
    assert not list(rule(ast.parse(allowed)))


def test_a_row_imports_only_rows_below_it() -> None:
    done = _lint_imports(ROOT, ROOT / "src")

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_an_import_of_a_higher_row_is_refused_with_its_place(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "src" / "labrunner")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "labrunner" / "model.py").open("a", encoding="utf-8") as model:
        model.write("\n\ndef planted() -> None:\n    import labrunner.cli.console\n")

    done = _lint_imports(tmp_path, tmp_path / "src")

    assert done.returncode == 1
    assert "0 kept, 1 broken" in done.stdout
    assert "labrunner.model -> labrunner.cli.console" in done.stdout


def test_a_name_that_knows_its_neighbour_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "src" / "labrunner")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "labrunner" / "kit" / "marks.py").open("a", encoding="utf-8") as marks:
        marks.write("\n\nfrom labrunner.services import broker\n")

    done = _lint_imports(tmp_path, tmp_path / "src")

    assert done.returncode == 1
    assert "labrunner.kit is not allowed to import labrunner.services" in done.stdout


def test_every_module_and_package_stands_in_a_row() -> None:
    rows = _layers()
    names = {path.partition("/")[0].removesuffix(".py") for path in MODULES} - {"__init__", "__main__"}

    assert names - rows == set()


def test_no_import_goes_round_in_a_circle() -> None:
    graph = grimp.build_graph("labrunner", cache_dir=None)
    imports = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}

    # What imports nothing that is left is in no circle; what cannot be taken away so is in one.
    while free := {module for module, imported in imports.items() if not imported & imports.keys()}:
        imports = {module: imported for module, imported in imports.items() if module not in free}

    assert set(imports) == set()


@pytest.mark.parametrize("package", DOORS)
def test_a_package_is_imported_behind_its_one_door_alone(package: str) -> None:
    _refuse(imports_of(package), besides=DOORS[package])


def test_nothing_prints_but_the_console() -> None:
    _refuse(uses_of("print"), besides={"cli/console.py"})


def test_nothing_sleeps_but_the_one_loop_that_waits() -> None:
    _refuse(uses_of("time.sleep"), besides={"waiting.py"})


def test_no_test_sleeps() -> None:
    tests = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "tests").rglob("*.py"))}

    _refuse(uses_of("time.sleep"), modules=tests)


def test_nothing_changes_the_working_folder() -> None:
    _refuse(uses_of("os.chdir", "os.fchdir", "contextlib.chdir"))


def test_no_module_keeps_state() -> None:
    _refuse(module_state)


def test_functions_are_short() -> None:
    _refuse(long_functions)


def test_modules_are_short() -> None:
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}

    assert {name: size for name, size in sizes.items() if size > LINES_OF_A_MODULE} == {}


def test_modules_are_nouns_that_say_something() -> None:
    words = {name: set(Path(name).with_suffix("").parts) for name in MODULES}

    assert {name for name, parts in words.items() if parts & EMPTY_NAMES} == set()


def _refuse(
    rule: Rule, *, besides: set[str] | frozenset[str] = frozenset(), modules: dict[str, Path] | None = None
) -> None:
    """Fail, naming every place that breaks the rule, in the modules that `besides` does not name."""
    looked_at = MODULES if modules is None else modules
    assert besides <= looked_at.keys()
    found = [
        f"{path}:{line}"
        for name, path in looked_at.items()
        if name not in besides
        for line in rule(ast.parse(path.read_text(encoding="utf-8"), name))
    ]
    assert not found, "\n".join(found)


def _layers() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["type"] == "layers")
    return {name.strip().rpartition(".")[2] for layer in contract["layers"] for name in layer.split("|")}


def _lint_imports(folder: Path, source: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", folder / "pyproject.toml", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(source), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
