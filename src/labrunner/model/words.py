"""The words that more than one part of the data uses."""

from typing import Literal

Interface = Literal["function", "cli", "http", "worker", "sql", "files"]
Outcome = Literal["passed", "failed", "not_judged"]
BackendName = Literal["containers", "embedded", "external"]
Blame = Literal["lab", "machine"]
Parameter = int | str
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

INTERFACES: tuple[Interface, ...] = ("function", "cli", "http", "worker", "sql", "files")
