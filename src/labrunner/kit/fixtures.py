"""A grader's fixtures, as a pytest plugin: the engine loads it and leaves the run's context in the stash."""

import hashlib
import random
from collections.abc import Iterator

import pytest

from labrunner.errors import AuthoringError
from labrunner.kit.context import KEY, Context
from labrunner.kit.postgres import Postgres
from labrunner.kit.sqlfiles import SqlFiles


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this run, as the report names it."""
    return _context(request).seed


@pytest.fixture
def rng(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Return the check's own source of random numbers: the same for the same seed, in any order of checks."""
    check_id = request.node.name.removeprefix("test_").replace("_", "-")
    digest = hashlib.sha256(f"{seed} {check_id}".encode()).digest()
    return random.Random(int.from_bytes(digest))  # noqa: S311 (data for a check, no secret)


@pytest.fixture(scope="session")
def learner(request: pytest.FixtureRequest) -> SqlFiles:
    """Return the learner's side of the lab: for the interface `sql`, their SQL files."""
    context = _context(request)
    if context.interface != "sql":
        raise AuthoringError(
            f"the fixture `learner` serves the interface 'sql', and this lab's is {context.interface!r}",
            hint='set interface = "sql" in lab.toml, or do without the fixture',
        )
    return SqlFiles(context.workspace, context.learner_patterns, context.limits.file_bytes)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Return the run's Postgres, from which a check takes databases."""
    with Postgres(_context(request)) as server:
        yield server


def _context(request: pytest.FixtureRequest) -> Context:
    return request.config.stash[KEY]
