import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from labrunner import catalogue, workspace
from labrunner.grading.run import Request, grade_submission
from labrunner.model import Lab, Report

if TYPE_CHECKING:
    from labrunner.services import BackendChoice

OWN = Path(__file__).parent.parent / "catalogue_of_tests"
RIGHT = {
    "setup.sql": "create index on goods (price);",
    "total.sql": "select count(*) from goods where price >= $1",
}


@pytest.fixture
def lab_with(tmp_path: Path) -> Callable[..., Lab]:
    """The lab tiny-sql with another grader: lab_with({"test_answer.py": …}, limits={…})."""

    def make(files: Mapping[str, str] | None = None, *, limits: str = "") -> Lab:
        root = tmp_path / "catalogue"
        shutil.copytree(OWN, root)
        lab = root / "labs" / "tiny-sql"
        if files:
            settings = (lab / "lab.toml").read_text()
            (lab / "lab.toml").write_text(settings.replace('["answer", "cost"]', '["answer"]'))
            (lab / "stages" / "cost.md").unlink()
            (root / "graders" / "tiny-sql" / "test_cost.py").unlink()
            shutil.rmtree(lab / "hints")
            for name, text in files.items():
                (root / "graders" / "tiny-sql" / name).write_text(text)
        if limits:
            settings = (lab / "lab.toml").read_text()
            (lab / "lab.toml").write_text(settings.partition("[limits]")[0] + "[limits]\n" + limits)
        return catalogue.load(root, "tiny-sql")

    return make


@pytest.fixture
def grade(tmp_path: Path, home: dict[str, str]) -> Callable[..., Report]:
    """Grades a workspace of a lab with these files laid over its starter."""

    numbers = itertools.count()

    def judged(
        lab: Lab,
        files: Mapping[str, str | bytes] = RIGHT,
        *,
        backend: str = "embedded",
        every_stage: bool = False,
        seed: int | None = None,
        environ: dict[str, str] | None = None,
        change: Callable[[Path], object] = lambda _: None,
    ) -> Report:
        folder = tmp_path / f"workspace-{next(numbers)}"
        made = workspace.create(lab, folder)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (made.folder / name).write_bytes(data)
        change(made.folder)
        request = Request(
            lab,
            made,
            cast("BackendChoice", backend),
            every_stage=every_stage,
            seed=seed,
            environ=environ or home,
        )
        return grade_submission(request, lambda _: None)

    return judged
