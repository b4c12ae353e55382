"""The tree of labs and graders: where it is, what is in it, and each lab as strict, checked data."""

from labrunner.catalogue.lab import load
from labrunner.catalogue.location import root
from labrunner.catalogue.lookup import find
from labrunner.catalogue.topics import roadmap

__all__ = ["find", "load", "roadmap", "root"]
