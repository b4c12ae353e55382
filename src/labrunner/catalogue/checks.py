"""The checks of a stage, read from its test file without running it."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from labrunner.catalogue import content
from labrunner.catalogue.vocabulary import did_you_mean, listed, shown
from labrunner.errors import AuthoringError
from labrunner.model import Check

_NAME = re.compile(r"test_[a-z0-9]+(?:_[a-z0-9]+)*")
_MARKS = ("parametrize", "skip", "skipif", "xfail")
_OPTIONS = ("points", "needs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def scan(root: Path, name: str, stage: str, hints: Mapping[str, int]) -> tuple[Check, ...]:
    """The checks in the test file `name` (a path below `root`), in order, at least one.

    `hints` are the numbers of hint levels by check id. Raises AuthoringError with file and line for
    everything that would make what runs differ from what is read here.
    """
    tree = _parsed(content.read(root, name), name)
    _refuse_uncountable(tree, name)
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name.startswith("test")]
    found = tuple(_check(function, root, name, stage, hints) for function in functions)
    if not found:
        raise AuthoringError(f"{name} has no check", hint="write a function test_<check> with a docstring")
    return found


def refuse_clashes(checks: tuple[Check, ...], root: Path) -> None:
    """Refuse ids that are there twice in a lab, and needs that no earlier check fulfils."""
    earlier: dict[str, Check] = {}
    ids = {check.id for check in checks}
    for check in checks:
        place = _place(check, root)
        if check.id in earlier:
            raise AuthoringError(
                f"{place}: the check {check.id!r} is already in {_place(earlier[check.id], root)}",
                hint="rename one of the two functions",
            )
        for need in check.needs:
            if need not in ids:
                hint = did_you_mean(need, ids - {check.id}) or f"checks of this lab: {listed(sorted(ids))}"
                raise AuthoringError(
                    f"{place}: {check.id!r} needs the unknown check {shown(need)}", hint=hint
                )
            if need not in earlier:
                raise AuthoringError(
                    f"{place}: {check.id!r} needs {need!r}, which does not run before it",
                    hint=f"move {need!r} up, or remove it from needs",
                )
        earlier[check.id] = check


def _place(check: Check, root: Path) -> str:
    return f"{check.file.relative_to(root).as_posix()}:{check.line}"


def _parsed(source: bytes, name: str) -> ast.Module:
    try:
        return ast.parse(source, filename=name)
    except (SyntaxError, ValueError) as error:  # ValueError: early 3.11 on a zero byte
        line, complaint = getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))
        raise AuthoringError(
            f"{name}:{line}: not valid Python: {complaint}", hint="correct the grader's source"
        ) from None


def _module_level(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement that an import runs, also those inside of `if`, `try`, `with` and loops."""
    for statement in statements:
        yield statement
        if not isinstance(statement, Function | ast.ClassDef):
            for part in ("body", "orelse", "finalbody"):
                yield from _module_level(getattr(statement, part, []))
            for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from _module_level(branch.body)


def _refuse_uncountable(tree: ast.Module, name: str) -> None:
    """Refuse what pytest would collect under ids that cannot be known from the source."""
    for statement in _module_level(tree.body):
        place = f"{name}:{statement.lineno}"
        match statement:
            case ast.ClassDef(name=kind) if kind.startswith("Test") or _is_test_case(statement):
                raise AuthoringError(f"{place}: {kind!r} is a test class", hint="write plain test functions")
            case ast.AsyncFunctionDef(name=function) if function.startswith("test"):
                raise AuthoringError(
                    f"{place}: {function!r} is an async test", hint="write `def`, not `async def`"
                )
            case ast.FunctionDef(name="pytest_generate_tests"):
                raise AuthoringError(
                    f"{place}: tests are parametrised here", hint="write one function per check"
                )
            case ast.FunctionDef(name=function) if function.startswith("test") and statement not in tree.body:
                raise AuthoringError(
                    f"{place}: {function!r} is a test on a condition", hint="move it to the top level"
                )
            case _:
                pass


def _is_test_case(kind: ast.ClassDef) -> bool:
    return any(_last_name(base).endswith("TestCase") for base in kind.bases)


def _last_name(expression: ast.expr) -> str:
    match expression:
        case ast.Call(func=function):
            return _last_name(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _check(function: ast.FunctionDef, root: Path, name: str, stage: str, hints: Mapping[str, int]) -> Check:
    place = f"{name}:{function.lineno}"
    if not _NAME.fullmatch(function.name):
        raise AuthoringError(
            f"{place}: {shown(function.name)} is not a check's name",
            hint="name it test_<words>: small letters and digits, words joined by single underscores",
        )
    identity = function.name.removeprefix("test_").replace("_", "-")
    points, needs = _options(function, name)
    return Check(
        id=identity,
        stage=stage,
        sentence=_sentence(function, place),
        points=points,
        needs=needs,
        hints=hints.get(identity, 0),
        file=root / name,
        line=function.lineno,
    )


def _sentence(function: ast.FunctionDef, place: str) -> str:
    docstring = ast.get_docstring(function) or ""
    if not docstring:
        raise AuthoringError(
            f"{place}: {function.name!r} has no docstring",
            hint="write the one sentence that the learner reads",
        )
    sentence = " ".join(docstring.split())
    if "\n\n" in docstring or not sentence.isprintable():
        raise AuthoringError(
            f"{place}: the docstring of {function.name!r} must be one sentence, without blank lines",
            hint="turn the rest into a comment: the docstring is what the learner reads",
        )
    return sentence


def _options(function: ast.FunctionDef, name: str) -> tuple[int, tuple[str, ...]]:
    found: list[ast.expr] = []
    for decorator in function.decorator_list:
        word = _last_name(decorator)
        if word in _MARKS:
            raise AuthoringError(
                f"{name}:{decorator.lineno}: {function.name!r} is marked {word!r}",
                hint="remove the mark: every check runs, exactly once",
            )
        if word == "check":
            found.append(decorator)
    if len(found) > 1:
        raise AuthoringError(
            f"{name}:{found[1].lineno}: {function.name!r} has @check twice", hint="keep one of them"
        )
    return _literals(found[0], name) if found else (1, ())


def _literals(decorator: ast.expr, name: str) -> tuple[int, tuple[str, ...]]:
    place = f"{name}:{decorator.lineno}"
    if (
        not isinstance(decorator, ast.Call)
        or decorator.args
        or any(k.arg is None for k in decorator.keywords)
    ):
        raise AuthoringError(
            f"{place}: @check takes named arguments only",
            hint='write for example @check(points=2, needs=["other-check"])',
        )
    options = {keyword.arg or "": keyword.value for keyword in decorator.keywords}
    for option in options:
        if option not in _OPTIONS:
            raise AuthoringError(
                f"{place}: @check has no argument {option!r}",
                hint=did_you_mean(option, _OPTIONS) or f"known arguments: {listed(_OPTIONS)}",
            )
    points = _literal(options.get("points", ast.Constant(1)))
    if type(points) is not int or points < 1:
        raise AuthoringError(
            f"{place}: `points` must be a literal whole number, at least 1", hint="write for example points=2"
        )
    needs = _literal(options.get("needs", ast.List([])))
    if not isinstance(needs, list | tuple) or not all(isinstance(need, str) for need in needs):
        raise AuthoringError(
            f"{place}: `needs` must be a literal list of check ids",
            hint='write for example needs=["other-check"]',
        )
    return points, tuple(needs)


def _literal(value: ast.expr) -> object:
    try:
        literal: object = ast.literal_eval(value)
    except ValueError:
        return None
    return literal
