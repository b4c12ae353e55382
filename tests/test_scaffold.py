import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import scaffold
from labrunner.errors import AuthoringError, MachineError
from labrunner.model import FileRoles, Lab, Limits, Stage

MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(tmp_path: Path) -> MakeLab:
    """make_lab(name=text, ..., learner=..., provided=..., hidden=...) is a lab with these starter files."""

    def make_lab(
        files: dict[str, str],
        *,
        learner: tuple[str, ...] = ("*.sql",),
        provided: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
        title: str = "Make a slow shop fast",
    ) -> Lab:
        folder = tmp_path / "labs" / "shop"
        page = folder / "stages" / "lookups.md"
        all_files = {"README.md": "# Brief\n", "stages/lookups.md": "# Lookups\n"}
        all_files |= {f"starter/{name}": text for name, text in files.items()}
        for name, text in all_files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return Lab(
            slug="shop",
            title=title,
            topic="Indexes",
            minutes=90,
            difficulty="beginner",
            teaches=("plans",),
            requires=(),
            interface="sql",
            services=(),
            stages=(Stage("lookups", "Lookups", page, tmp_path / "test_lookups.py", ()),),
            files=FileRoles(learner, provided, hidden),
            limits=Limits(),
            folder=folder,
            grader=tmp_path / "graders" / "shop",
            hash="0123456789abcdef",
        )

    return make_lab


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def refusal(lab: Lab, target: Path) -> str:
    with pytest.raises(AuthoringError) as caught:
        scaffold.render(lab, target)
    assert not target.exists(), "a refused starter must leave nothing behind"
    return f"{caught.value} | {caught.value.hint}"


def test_the_learner_gets_the_starter_the_brief_and_the_pages(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(
        {"a.sql": "-- a\n", "queries/b.sql": "-- b\n", ".env": "X=1\n"},
        learner=("**/*.sql",),
        provided=(".env",),
    )
    (lab.folder / "hints").mkdir()
    (lab.folder / "starter" / "__pycache__").mkdir()
    (lab.folder / "starter" / "__pycache__" / "x.pyc").write_bytes(b"\0")
    scaffold.render(lab, tmp_path / "mine")
    assert contents(tmp_path / "mine") == {
        ".env": "X=1\n",
        "README.md": "# Brief\n",
        "a.sql": "-- a\n",
        "queries/b.sql": "-- b\n",
        "stages/lookups.md": "# Lookups\n",
    }


def test_templates_are_rendered_and_lose_their_suffix(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"a.sql.j2": "-- {{ slug }}: {{ title }}\n\n", "b.sql": "{{ slug }}"}, title="<ä> & Söhne")
    scaffold.render(lab, tmp_path / "mine")
    found = contents(tmp_path / "mine")
    assert found["a.sql"] == "-- shop: <ä> & Söhne\n\n"
    assert found["b.sql"] == "{{ slug }}"
    assert "a.sql.j2" not in found


def test_bytes_are_copied_as_they_are(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"a.sql": ""})
    (lab.folder / "starter" / "a.sql").write_bytes(b"\0\xff\r\n")
    scaffold.render(lab, tmp_path / "mine")
    assert (tmp_path / "mine" / "a.sql").read_bytes() == b"\0\xff\r\n"


def test_executable_files_stay_executable_and_all_files_can_be_written(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab({"run.sql.j2": "#!\n", "plain.sql": ""})
    (lab.folder / "starter" / "run.sql.j2").chmod(0o555)
    (lab.folder / "starter" / "plain.sql").chmod(0o444)
    before = os.umask(0o027)
    try:
        scaffold.render(lab, tmp_path / "mine")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mine" / "run.sql").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "mine" / "plain.sql").stat().st_mode) == 0o640


def test_a_folder_that_exists_is_not_written(make_lab: MakeLab, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError):
        scaffold.render(make_lab({"a.sql": ""}), tmp_path / "mine")
    assert contents(tmp_path / "mine") == {}


@pytest.mark.parametrize(
    ("files", "roles", "message"),
    [
        (
            {"x.txt": ""},
            {},
            "labs/shop/starter/x.txt: no pattern in `files` of labs/shop/lab.toml matches 'x.txt' | add ",
        ),
        (
            {"sub/a.sql.j2": ""},
            {},
            "labs/shop/starter/sub/a.sql.j2: no pattern in `files` of labs/shop/lab.toml matches 'sub/a.sql'",
        ),
        (
            {"a.sql": ""},
            {"hidden": ("a.sql",)},
            "labs/shop/starter/a.sql: 'a.sql' is `hidden` in labs/shop/lab.toml, but a starter is handed out",
        ),
        (
            {"a.sql": ""},
            {"provided": ("a.*",)},
            "labs/shop/starter/a.sql: 'a.sql' is both `learner` and `provided` in labs/shop/lab.toml | make",
        ),
        (
            {".labrunner/a.sql": ""},
            {"learner": ("**",)},
            "labs/shop/starter/.labrunner/a.sql: .labrunner/ is labrunner's own folder | choose another name",
        ),
        (
            {"a.sql": "", "a.sql.j2": ""},
            {},
            "labs/shop/starter/a.sql.j2 and labs/shop/starter/a.sql would both become 'a.sql' | rename",
        ),
        (
            {"readme.md": ""},
            {"learner": ("*.md",)},
            "labs/shop/starter/readme.md and labs/shop/README.md would both become 'readme.md' | rename",
        ),
        (
            {"a.sql.j2": "{{ nam }}"},
            {},
            "labs/shop/starter/a.sql.j2: 'nam' is undefined (the template cannot be rendered) | a temp",
        ),
        (
            {"a.sql.j2": "\n{% if %}"},
            {},
            "labs/shop/starter/a.sql.j2:2: Expected an expression, got 'end of statement block' (the ",
        ),
        (
            {"a.sql.j2": "{{ 1 / 0 }}"},
            {},
            "labs/shop/starter/a.sql.j2: division by zero (the template cannot",
        ),
    ],
)
def test_a_starter_that_may_not_be_handed_out_is_refused(
    make_lab: MakeLab,
    tmp_path: Path,
    files: dict[str, str],
    roles: dict[str, tuple[str, ...]],
    message: str,
) -> None:
    assert refusal(make_lab(files, **roles), tmp_path / "mine").startswith(message)


def test_a_template_that_is_not_utf8_is_refused(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"a.sql.j2": ""})
    (lab.folder / "starter" / "a.sql.j2").write_bytes(b"\xff")
    assert refusal(lab, tmp_path / "mine").startswith(
        "labs/shop/starter/a.sql.j2: 'utf-8' codec can't decode"
    )


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "pipe"])
def test_links_and_special_files_are_refused(make_lab: MakeLab, tmp_path: Path, kind: str) -> None:
    lab = make_lab({"a.sql": ""})
    strange = lab.folder / "starter" / "b.sql"
    if kind == "pipe":
        os.mkfifo(strange)
    else:
        strange.symlink_to(lab.folder / "README.md" if kind == "link to a file" else lab.folder / "stages")
    assert refusal(lab, tmp_path / "mine") == (
        "labs/shop/starter/b.sql must be a plain file or folder, found a link or a special file"
        " | replace it by a plain copy"
    )


def test_a_file_that_cannot_be_read_is_this_machines_fault(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"a.sql": ""})
    (lab.folder / "README.md").unlink()
    with pytest.raises(MachineError, match=r"^labs/shop/README\.md cannot be read: No such file") as caught:
        scaffold.render(lab, tmp_path / "mine")
    assert caught.value.hint == f"look at {lab.folder / 'README.md'}"


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.sql", "a.sql", True),
        ("a.sql", "*.sql", True),
        ("q/a.sql", "*.sql", False),
        ("q/a.sql", "q/*.sql", True),
        ("q/r/a.sql", "q/*.sql", False),
        ("a.sql", "**/*.sql", True),
        ("q/r/a.sql", "**/*.sql", True),
        ("q/r/a.sql", "q/**", True),
        ("q", "q/**", True),
        ("r/q", "q/**", False),
        ("q/r/s/a", "q/**/s/*", True),
        ("A.sql", "a.sql", False),
        ("a1.sql", "a?.sql", True),
        ("a/.sql", "a?.sql", False),
        ("b.sql", "[ab].sql", True),
        ("a.sql", "a.sql/b", False),
        ("a.sql/b", "a.sql", False),
    ],
)
def test_a_glob_matches_whole_paths_part_by_part(name: str, pattern: str, *, expected: bool) -> None:
    assert scaffold.matches(name, pattern) is expected


def test_a_name_has_the_roles_whose_patterns_match() -> None:
    files = FileRoles(learner=("*.sql",), provided=("a*",), hidden=("oracle/**",))
    assert scaffold.roles(files, "a.sql") == ("learner", "provided")
    assert scaffold.roles(files, "oracle/b.sql") == ("hidden",)
    assert scaffold.roles(files, "b.txt") == ()
