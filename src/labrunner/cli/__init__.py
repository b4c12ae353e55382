"""The command line: parses, calls one function, shows, and maps errors to exit statuses."""

from labrunner.cli.entry import main

__all__ = ["main"]
