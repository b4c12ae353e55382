"""One way to any environment."""

from collections.abc import Mapping
from pathlib import Path

from labrunner.environment import node, python
from labrunner.environment.parts import Environment, Kind, Progress
from labrunner.environment.sources import Source
from labrunner.environment.store import Store


def ensure(
    source: Source, kind: Kind, *, cache: Path, environ: Mapping[str, str], progress: Progress
) -> Environment:
    """The environment that a source's lock describes: found below `cache` in a moment, or made there once.

    Nothing of the source is run, and nothing is fetched but locked packages from the indexes that `environ`
    and this user's settings name. Raises AuthoringError for a lab's source that is wrong, UsageError for a
    learner's, and MachineError when this machine lacks uv, npm, space, or a network at the first time.
    """
    make = python.ensure if kind == "python" else node.ensure
    return make(source, Store(cache.absolute()), environ, progress)
