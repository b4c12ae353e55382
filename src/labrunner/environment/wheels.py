"""Installing locked packages into a new virtual environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrunner.environment import programs, reasons
from labrunner.environment.commands import Done, run
from labrunner.environment.parts import Progress
from labrunner.environment.sources import Source
from labrunner.errors import LabrunnerError, MachineError


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be installed: normalised lines, which came from `file` of `source`."""

    lines: tuple[str, ...]
    source: Source
    file: str
    environ: Mapping[str, str]


def install(wanted: Installation, folder: Path, lock: int, progress: Progress) -> None:
    """Make the empty folder a virtual environment with the wanted packages, from wheels alone.

    Raises MachineError when they cannot be fetched, and the source's error when they cannot be installed.
    """
    task = _Task(wanted, folder, lock)
    task.clear()
    if not wanted.lines:
        return
    # What another environment has needs no network.
    done = task.sync("--offline")
    if done.status != 0:
        count = len(wanted.lines)
        progress(f"installing {count} {'package' if count == 1 else 'packages'}, once for this lab")
        task.clear()
        done = task.sync()
    if done.status != 0:
        raise task.failure(done)
    task.compile()


@dataclass(frozen=True, slots=True)
class _Task:
    wanted: Installation
    folder: Path
    lock: int

    def clear(self) -> None:
        """Make the folder an environment without packages.

        Also after a sync that failed: no Python is ever started in an environment that holds packages, since
        one could have code run at every start.
        """
        done = self._run(
            *(programs.uv(), "venv", "--quiet", "--no-project", "--no-python-downloads", "--clear"),
            *("--relocatable", "--python", programs.base(), str(self.folder)),
        )
        if done.status != 0:
            raise MachineError(
                f"no environment can be made with {programs.base()}: {reasons.said('python', done)}",
                hint="see that this Python runs, and that labrunner's cache folder has space",
            )

    def sync(self, *options: str) -> Done:
        """Have uv install exactly the wanted packages.

        Copied, because files shared with uv's cache, and through it with a learner's own environments, would
        change with those.
        """
        lines = self.folder / "requirements.txt"
        lines.write_text("\n".join(self.wanted.lines) + "\n", encoding="ascii")
        return self._run(
            *(programs.uv(), "pip", "sync", "--require-hashes", "--only-binary", ":all:", *options),
            *("--no-progress", "--no-compile-bytecode", "--link-mode", "copy", "--no-python-downloads"),
            *("--python", str(self.folder / "bin" / "python"), str(lines)),
        )

    def compile(self) -> None:
        """Leave nothing to be written at the first import; what cannot be compiled cannot be imported."""
        for packages in self.folder.glob("lib/python*/site-packages"):
            self._run(programs.base(), "-I", "-S", "-m", "compileall", "-q", "-j", "0", str(packages))

    def failure(self, done: Done) -> LabrunnerError:
        """The error for a command that failed."""
        return reasons.failure("python", done, self.wanted.source, self.wanted.file)

    def _run(self, *argv: str) -> Done:
        # uv looks for settings in the folders above the one it runs in.
        return run(argv, folder=Path("/"), environ=self.wanted.environ, held=[self.lock])
