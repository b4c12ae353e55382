"""What all tests share: homes of their own, and the backends that this machine has."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labrunner.services import forget
from labrunner.services.engine import Engine, find_engine

Environ = dict[str, str]
# Labs of their own, graded by the tests and not among them.
collect_ignore = ["catalogue_of_tests"]


@pytest.fixture(scope="session", autouse=True)
def _no_outside_settings() -> None:
    """Keep outside settings away from the tests, but for the images that stand in for the official ones."""
    for key in list(os.environ):
        if key.startswith("LABRUNNER_") and key not in {
            "LABRUNNER_POSTGRES_IMAGE",
            "LABRUNNER_TEST_POSTGRES15_IMAGE",
            "LABRUNNER_REQUIRE_CONTAINERS",
        }:
            del os.environ[key]


@pytest.fixture(scope="session")
def new_home() -> Iterator[Callable[[], Environ]]:
    """Makes environments with a home of their own; all servers in them end with the session."""
    made: list[Environ] = []
    with tempfile.TemporaryDirectory(prefix="labrunner-tests-") as folder:
        # Servers run as an unprivileged user when the tests run as root, who must be able to pass through.
        Path(folder).chmod(0o711)

        def make() -> Environ:
            environ = {**os.environ, "LABRUNNER_HOME": str(Path(folder) / str(len(made)))}
            made.append(environ)
            return environ

        yield make
        for environ in made:
            forget(environ)


@pytest.fixture(scope="session")
def home(new_home: Callable[[], Environ]) -> Environ:
    """The environment whose warm servers most tests share."""
    return new_home()


@pytest.fixture
def own_home(new_home: Callable[[], Environ]) -> Environ:
    """An environment for one test alone, with nothing prepared and nothing running."""
    return new_home()


@pytest.fixture(scope="session")
def containers_backend() -> str:
    """The name of the containers backend, on a machine that has an engine."""
    if not isinstance(find_engine(os.environ), Engine):
        pytest.skip("no container engine answers on this machine")
    return "containers"


@pytest.fixture(scope="session", params=["embedded", "containers"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that this machine has; in continuous integration it must have both."""
    if request.param == "containers":
        request.getfixturevalue("containers_backend")
    return str(request.param)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where containers are required, a test that was skipped is a test that failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("LABRUNNER_REQUIRE_CONTAINERS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("tests were skipped although LABRUNNER_REQUIRE_CONTAINERS is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
