"""What `grade PATH` may name: a workspace, or an archive that somebody handed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labrunner import workspace
from labrunner.errors import UsageError
from labrunner.model import Workspace


@contextmanager
def opened(path: Path) -> Iterator[tuple[Workspace, Path | None]]:
    """The workspace at `path`, and where its report.json belongs.

    An archive is taken in as a private copy that ends with the block, so its report belongs nowhere: None.
    Raises UsageError, or SubmissionError for an archive that holds what is not taken in.
    """
    if not path.is_file():
        found = workspace.find(path)
        yield found, found.folder / ".labrunner" / "report.json"
        return
    from labrunner import intake

    with intake.opened(path) as taken:
        if not (taken.folder / ".labrunner" / "workspace.json").is_file():
            raise UsageError(
                f"{taken.name}: expected an archive of a lab's folder, found no .labrunner/workspace.json",
                hint="pack the whole folder that `labrunner start` made",
            )
        yield workspace.find(taken.folder), None
