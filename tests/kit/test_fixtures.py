import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.errors import AuthoringError
from labrunner.kit import fixtures
from labrunner.kit.context import KEY, Context


class Given:
    """Leaves a context in the stash, as the engine does, and keeps what the checks raised."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.raised: dict[str, BaseException | None] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[KEY] = self.context

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.when != "teardown":
            self.raised[item.name] = self.raised.get(item.name) or (
                call.excinfo.value if call.excinfo else None
            )


@pytest.fixture
def grade(tmp_path: Path, make_context: Callable[..., Context]) -> Callable[..., dict[str, Any]]:
    """Runs a grader's source with the kit's fixtures and returns what each check raised."""

    def run(source: str, **changes: Any) -> dict[str, Any]:
        # A name of its own each time: this process keeps the modules that pytest has imported.
        tests = tmp_path / f"grader_{secrets.token_hex(8)}"
        tests.mkdir()
        (tests / f"test_{tests.name}.py").write_text(source, encoding="utf-8")
        (tests / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        given = Given(make_context(**changes))
        words = ["-p", "no:cacheprovider", "-p", "no:terminal", "--import-mode=importlib"]
        pytest.main([*words, "-c", str(tests / "pytest.ini"), str(tests)], plugins=[given, fixtures])
        return given.raised

    return run


def test_a_grader_gets_its_fixtures(
    grade: Callable[..., dict[str, Any]], tmp_path: Path, leases: Any
) -> None:
    (tmp_path / "indexes.sql").write_text("create index a on orders (total);", encoding="utf-8")
    held = list(leases.held)
    raised = grade("""
from labrunner.kit import check, expect_equal

@check(points=2)
def test_all_of_it(postgres, learner, rng, seed):
    database = postgres.database(rows=10)
    database.apply(learner.script("indexes.sql"))
    expect_equal("a" in {index.name for index in database.indexes()}, True, "no index")
    expect_equal(seed, 4711, "another seed")

def test_failing(postgres):
    expect_equal(postgres.database().run("select 1").rows, [(2,)], "another answer")
""")
    assert raised["test_all_of_it"] is None
    assert raised["test_failing"].message == "another answer"
    assert leases.held == held


RANDOM = """
def test_first(rng): raise RuntimeError(rng.randrange(10**9))
def test_second(rng): raise RuntimeError(rng.randrange(10**9))
"""


def test_random_numbers_depend_on_the_seed_and_the_check_alone(grade: Callable[..., dict[str, Any]]) -> None:
    def numbers(source: str, seed: int) -> tuple[str, str]:
        raised = grade(source, seed=seed)
        return str(raised["test_first"]), str(raised["test_second"])

    first, second = numbers(RANDOM, 1)
    assert first != second
    backwards = "\n".join(reversed(RANDOM.splitlines()))
    assert numbers(backwards, 1) == (first, second)
    assert first != numbers(RANDOM, 2)[0]


def test_a_lab_of_another_interface_has_no_learner_yet(grade: Callable[..., dict[str, Any]]) -> None:
    error = grade("def test_it(learner): pass", interface="http")["test_it"]
    assert isinstance(error, AuthoringError)
    assert str(error) == "the fixture `learner` serves the interface 'sql', and this lab's is 'http'"
    assert error.hint == 'set interface = "sql" in lab.toml, or do without the fixture'
