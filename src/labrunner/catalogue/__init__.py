"""The tree of labs and graders: where it is, what is in it, and each lab as strict, checked data.

Each function imports what it needs when it is called: `labrunner list` reads the roadmap and no lab.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labrunner.model import Lab, Roadmap


def root(override: str | None) -> Path:
    """The absolute folder that holds labs/ and graders/; see `labrunner.catalogue.location.root`."""
    from labrunner.catalogue import location

    return location.root(override)


def roadmap(root: Path) -> "Roadmap":
    """All phases, sections and topics; see `labrunner.catalogue.topics.roadmap`."""
    from labrunner.catalogue import topics

    return topics.roadmap(root)


def find(root: Path, slug: str) -> "Lab":
    """The lab that a learner means by `slug`; see `labrunner.catalogue.lookup.find`."""
    from labrunner.catalogue import lookup

    return lookup.find(root, slug)


def load(root: Path, slug: str) -> "Lab":
    """A lab, checked whole; see `labrunner.catalogue.lab.load`."""
    from labrunner.catalogue import lab

    return lab.load(root, slug)
