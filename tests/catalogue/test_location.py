from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.catalogue.location import built_in
from labrunner.errors import MachineError, UsageError


def make(folder: Path, *parts: str) -> Path:
    for part in parts:
        (folder / part).mkdir(parents=True)
    return folder


@pytest.mark.parametrize("override", [None, ""])
def test_without_an_override_the_built_in_catalogue_is_used(override: str | None) -> None:
    root = catalogue.root(override)
    assert (root / "labs" / "roadmap.toml").is_file()
    assert (root / "graders").is_dir()


def test_an_installed_package_uses_the_catalogue_inside_of_it(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "labrunner"
    inside = make(package / "_catalogue", "labs", "graders")
    assert built_in(package) == inside


def test_a_checkout_uses_the_folders_around_the_package(tmp_path: Path) -> None:
    make(tmp_path, "labs", "graders", "src/labrunner")
    assert built_in(tmp_path / "src" / "labrunner") == tmp_path


def test_an_installation_without_labs_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="the built-in labs are missing") as caught:
        built_in(tmp_path / "lib" / "labrunner")
    assert str(tmp_path / "lib" / "labrunner" / "_catalogue") in str(caught.value)
    assert caught.value.hint == "install labrunner again"


def test_an_override_is_used_as_an_absolute_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "mine", "labs", "graders")
    monkeypatch.chdir(tmp_path)
    assert catalogue.root("mine") == tmp_path / "mine"


@pytest.mark.parametrize(
    ("parts", "missing"), [((), "labs/ and no graders/"), (("labs",), "graders/"), (("graders",), "labs/")]
)
def test_an_override_that_is_no_catalogue_is_refused(
    tmp_path: Path, parts: tuple[str, ...], missing: str
) -> None:
    make(tmp_path, *parts)
    with pytest.raises(UsageError) as caught:
        catalogue.root(str(tmp_path))
    assert str(caught.value) == (
        f"LABRUNNER_CATALOGUE must name a folder with labs/ and graders/, but {tmp_path} has no {missing}"
    )
    assert "unset it" in caught.value.hint
