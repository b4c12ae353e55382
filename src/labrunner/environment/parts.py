"""The plain data of an environment."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["python", "node"]

# Is told, in a few words, of anything that takes longer than a moment.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment. It is shared: nobody writes into it.

    `command` starts the language, with absolute paths. `reads` are the folders that a program started with it
    must be able to read, `folder` among them. Node's packages are in `folder`/node_modules.
    """

    kind: Kind
    folder: Path
    command: tuple[str, ...]
    reads: tuple[Path, ...]
