"""What all rows share: folders of their own, a clean environment, commands run in them, servers that end."""

import compileall
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import NotMeasuredError, ms_since
from labrunner.services import forget

# Which server is run is the caller's business; everything else of labrunner's and of Python's is ours.
_KEPT = ("LABRUNNER_POSTGRES_IMAGE", "LABRUNNER_POSTGRES_BIN")
# How many of its last lines a command that failed is quoted with.
_WORDS = 5
_OUTSIDE = ("LABRUNNER_", "PYTHON", "COVERAGE_")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`warm` and `cold` are environments with a labrunner home each: servers stay up in the one alone."""

    root: Path
    folder: Path
    warm: Mapping[str, str]
    cold: Mapping[str, str]

    def new_folder(self, name: str) -> Path:
        """A folder for one side, empty; it goes with all the others."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def program(self, name: str) -> str:
        """A program of the environment that runs this."""
        return str(Path(sys.executable).with_name(name))

    def run(self, argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> float:
        """The milliseconds that a command took, from its start to its end, its words thrown away.

        Raises NotMeasuredError when it does not end well.
        """
        begun = time.perf_counter()
        done = subprocess.run(
            argv, env=environ, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        spent = ms_since(begun)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).decode("utf-8", "replace").split("\n")
            words = " / ".join([line.strip() for line in lines if line.strip()][-_WORDS:])
            command = " ".join([Path(argv[0]).name, *argv[1:]])
            raise NotMeasuredError(f"{command} ended with status {done.returncode}: {words}")
        return spent


@contextmanager
def surroundings(root: Path) -> Iterator[Surroundings]:
    """Surroundings for a whole run; when it ends, also by Ctrl-C, its servers and its folders are gone."""
    # What it is compared with was compiled when it was installed, so this is too.
    compileall.compile_dir(root / "src", quiet=2)
    clean = {k: v for k, v in os.environ.items() if k in _KEPT or not k.startswith(_OUTSIDE)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labrunner-bench-")))
        # Servers run as an unprivileged user when this one is root, who must be able to pass through.
        folder.chmod(0o711)
        environs = [{**clean, "LABRUNNER_HOME": str(folder / name)} for name in ("warm", "cold")]
        for environ in environs:
            stack.callback(forget, environ)
        yield Surroundings(root, folder, *environs)
