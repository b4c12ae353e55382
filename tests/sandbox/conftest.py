"""Boxes for the tests: at every level, as root and as an ordinary user."""

import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labrunner import sandbox
from labrunner.sandbox import account
from labrunner.sandbox.box import MB
from labrunner.sandbox.interpreter import own_python

PYTHON = (str(own_python()), "-I", "-S", "-c")
LIMITS = sandbox.Limits(time_s=20.0, memory_bytes=128 * MB, processes=16, disk_bytes=4 * MB, output_bytes=MB)
ROOT = Path(sandbox.__file__).resolve().parents[3]


@dataclass(frozen=True)
class Ran:
    """What a program printed, and how it ended."""

    stdout: str
    stderr: str
    ending: sandbox.Ending


def as_ordinary_user(action: Callable[[], Any]) -> Any:
    """Do something as a user who is nobody special: in a child when the tests run as root, else here."""
    number = account.new_account()
    if number is None:
        return action()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            paths = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
            account.open_ways(account.closed_ways(paths), paths, number)
            result: Any = action()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the parent
            result = RuntimeError(f"{type(error).__name__}: {error}")
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(result))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    if isinstance(result, RuntimeError):
        raise result
    return result


def as_given(action: Callable[[], Any]) -> Any:
    """Do something as whoever runs the tests."""
    return action()


@pytest.fixture(params=["root", "ordinary user"] if os.getuid() == 0 else ["ordinary user"])
def as_user(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    """Does something as each kind of user that the tests can be."""
    return as_given if request.param == "root" else as_ordinary_user


@pytest.fixture(params=sandbox.LEVELS)
def level(request: pytest.FixtureRequest) -> sandbox.Level:
    """Each level."""
    named: sandbox.Level = request.param
    return named


def box(code: str, *words: str, limits: Mapping[str, Any] | None = None, **more: Any) -> sandbox.Box:
    """A box for a Python program, with small limits."""
    chosen = sandbox.Limits(**{**_fields(LIMITS), **(limits or {})})
    return sandbox.Box((*PYTHON, code, *words), limits=chosen, **more)


def _fields(limits: sandbox.Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in limits.__slots__}


def run(
    level: sandbox.Level, code: str, *words: str, limits: Mapping[str, Any] | None = None, **more: Any
) -> Ran:
    """Run a Python program in a box to its end."""
    given: bytes = more.pop("given", b"")
    with sandbox.run(box(code, *words, limits=limits, **more), level, os.environ) as program:
        output = sandbox.communicate(program, given)
    assert output.ending is not None
    return Ran(output.stdout.decode(errors="replace"), output.stderr.decode(errors="replace"), output.ending)


@pytest.fixture
def boxed(as_user: Callable[[Callable[[], Any]], Any]) -> Callable[..., Ran]:
    """Runs a Python program in a box to its end, as each kind of user: boxed(level, code, words…)."""

    def ran(*words: Any, **more: Any) -> Ran:
        result: Ran = as_user(lambda: run(*words, **more))
        return result

    return ran


@pytest.fixture(scope="session")
def build_box() -> Callable[..., sandbox.Box]:
    """Makes a box for a Python program: build_box(code, words…, limits={…})."""
    return box


@pytest.fixture(scope="session")
def run_box() -> Callable[..., Ran]:
    """Runs a Python program in a box to its end, as whoever runs the tests."""
    return run


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="labrunner-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may read, unlike pytest's own."""
    with _folder() as folder:
        yield folder
