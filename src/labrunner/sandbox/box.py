"""What is to run in a box, as plain data: the command, what it may see, what it may use, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Literal

Level = Literal["strict", "landlock", "process"]
Limit = Literal["memory", "time", "processes", "output", "disk", "file", "descriptors"]

LEVELS: tuple[Level, ...] = ("strict", "landlock", "process")
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine that the program may read.

    `inside` is where a strict box shows it; empty means at its own path. Folders named in `masked`, relative
    to the mount, look empty to the program (at the level `process` nothing hides them).
    """

    host: Path
    inside: str = ""
    masked: tuple[str, ...] = ()

    def at(self, level: Level) -> str:
        """The path by which the program reaches it: below `strict` there is one view of the files only."""
        return self.inside if level == "strict" and self.inside else str(self.host)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine that the program may change, up to `bytes` and `entries` in all.

    No quota bounds it: the box is ended when it is seen to be over, some hundredths of a second later.
    When labrunner runs as root, the folder and all in it are given to the box's own account.
    """

    host: Path
    inside: str = ""
    bytes: int = 64 * MB
    entries: int = 10_000

    def at(self, level: Level) -> str:
        """The path by which the program reaches it."""
        return self.inside if level == "strict" and self.inside else str(self.host)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port on the program's loopback that the parent serves; made by `labrunner.sandbox.listener`.

    In a strict box the listening socket is made inside and handed out. Below `strict` there is one loopback
    for all, so `server` listens already and `port` is a free one; the box that it is given to closes it.
    """

    port: int
    server: socket | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program and everything that it starts may use. Times in seconds, sizes in bytes.

    `time_s` is by the clock, `cpu_s` by the processor and for each process (None: as `time_s`).
    `memory_bytes` and `processes` (threads count) are for the whole box; `descriptors` and `file_bytes` for
    each process and file; `disk_bytes` for its home and temporary folder, and as much again for shared
    memory. `output_bytes` is for all that is read of its standard output and error.
    """

    time_s: float = 10.0
    cpu_s: float | None = None
    memory_bytes: int = 512 * MB
    processes: int = 64
    descriptors: int = 256
    file_bytes: int = 64 * MB
    disk_bytes: int = 64 * MB
    output_bytes: int = 8 * MB


@dataclass(frozen=True, slots=True)
class Box:
    """A program and what surrounds it.

    `command` and `workdir` are paths as the program sees them (see `Mount.at`). `environ` is the whole
    environment, but for HOME, TMPDIR and LANG, which have defaults. `descriptors` maps the number by which
    the program knows a descriptor to ours. `ports` are those on which the program may listen (`strict` lets
    it listen anywhere on its own loopback; `landlock` holds it to these).
    """

    command: tuple[str, ...]
    workdir: str = "/"
    mounts: tuple[Mount, ...] = ()
    folder: Folder | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    descriptors: Mapping[int, int] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended.

    Exactly one of `status` (0 to 255) and `signal` is set. `limit` is the limit that ended it or that it
    broke on, None when it ended by itself or was told to; `words` is a sentence for the learner.
    """

    status: int | None
    signal: int | None
    limit: Limit | None
    words: str
