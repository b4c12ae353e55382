"""What a lab's program is run with: an interpreter and the locked packages, made once for each set."""

from labrunner.environment.ensuring import ensure
from labrunner.environment.links import link
from labrunner.environment.parts import Environment, Kind, Progress
from labrunner.environment.sources import Policy, Source, source

__all__ = ["Environment", "Kind", "Policy", "Progress", "Source", "ensure", "link", "source"]
