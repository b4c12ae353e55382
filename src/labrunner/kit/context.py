"""What the engine gives to the kit for one grade run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from labrunner.model import Endpoint, Interface, Limits, Parameter


class LeaseSource(Protocol):
    """Where fresh leases come from and go back to."""

    def lease(self, service: str, parameters: Mapping[str, Parameter]) -> Endpoint:
        """Return a fresh lease of `service`, seeded with `parameters` in place of the lab's defaults."""
        ...

    def give_back(self, lease_id: str) -> None:
        """Take back the lease of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """One grade run as the kit sees it.

    `learner_patterns` are the globs of the learner's files, relative to `workspace`.
    """

    workspace: Path
    interface: Interface
    learner_patterns: tuple[str, ...]
    seed: int
    limits: Limits
    leases: LeaseSource


# Where the engine leaves the context: `config.stash[KEY]`.
KEY: pytest.StashKey[Context] = pytest.StashKey()
