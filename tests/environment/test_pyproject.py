import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.environment import Source, requirements
from labrunner.environment import source as chosen
from labrunner.errors import AuthoringError, UsageError

HASH = f"--hash=sha256:{'a' * 64}"
PROJECT = '[project]\nname = "lab"\nversion = "1"\n'
SOURCES = Callable[..., Source]


def refusal(ensured: Any, source: Source) -> tuple[str, str]:
    kind = AuthoringError if source.owner == "lab" else UsageError
    with pytest.raises(kind) as caught:
        ensured(source)
    assert ensured.said == []
    return str(caught.value).removeprefix(f"{source.name}/"), caught.value.hint


def test_dependencies_without_a_lock_are_refused(ensured: Any, source: SOURCES) -> None:
    found = source({"pyproject.toml": PROJECT + 'dependencies = ["six"]\n'})
    assert refusal(ensured, found) == (
        "pyproject.toml: it names dependencies, but there is no lock",
        "run `uv lock` beside it",
    )


def test_a_lock_without_a_project_is_refused(ensured: Any, source: SOURCES) -> None:
    assert refusal(ensured, source({"uv.lock": ""})) == (
        "uv.lock: there is a lock, but no pyproject.toml",
        "write pyproject.toml with the dependencies, or remove the lock",
    )


def test_a_lab_with_two_locks_is_refused_and_a_learners_newer_one_counts(
    ensured: Any, source: SOURCES
) -> None:
    files = {"pyproject.toml": PROJECT, "uv.lock": "", "requirements.lock": "?"}
    assert refusal(ensured, source(files)) == (
        "uv.lock: there are two locks, uv.lock and requirements.lock",
        "keep one of the two",
    )
    words, _ = refusal(ensured, source(files, "learner"))
    assert words.startswith("uv.lock: its packages cannot be installed: ")


def test_a_project_that_is_a_template_is_refused(ensured: Any, source: SOURCES) -> None:
    assert refusal(ensured, source({"pyproject.toml.j2": PROJECT})) == (
        "pyproject.toml.j2: it is read as it is, so it cannot be a template",
        "name it pyproject.toml",
    )


@pytest.mark.parametrize(
    ("project", "words"),
    [
        ("[project", "it is not TOML: "),
        ("a = " + "[" * 5000, "it is not TOML: "),
        (b"\xff", "it is not TOML: "),
        ("project = 1", "expected a name in [project]"),
        ("[project]\nname = 1", "expected a name in [project]"),
        ('[project]\nname = "a\\"\\nb"', "expected a name in [project]"),
        (PROJECT + "requires-python = 3", "requires-python is not a version's bounds"),
        (PROJECT + "requires-python = '3\"'", "requires-python is not a version's bounds"),
        (PROJECT + "dependencies = 'six'", "dependencies are not a list of texts"),
        (PROJECT + "dependencies = [1]", "dependencies are not a list of texts"),
    ],
)
def test_a_project_that_cannot_be_read_is_refused(
    project: str | bytes, words: str, ensured: Any, source: SOURCES
) -> None:
    said, hint = refusal(ensured, source({"pyproject.toml": project}))
    assert said.startswith(f"pyproject.toml: {words}")
    assert hint


def test_a_lock_that_was_not_made_again_is_refused(ensured: Any, source: SOURCES) -> None:
    files = {
        "pyproject.toml": PROJECT + 'dependencies = ["Six_.Pack>=1", "other; sys_platform == \'x\'", "?"]\n',
        "requirements.lock": f"six==1 {HASH}\n",
    }
    assert refusal(ensured, source(files)) == (
        "requirements.lock: it does not hold 'six-pack', which pyproject.toml names",
        "make the lock again, with `uv lock` or `uv pip compile`",
    )


def test_a_lock_of_uvs_for_another_project_is_refused(ensured: Any, source: SOURCES, locked: Path) -> None:
    other = '[project]\nname = "other"\nversion = "1"\n'
    found = source({"pyproject.toml": other, "uv.lock": (locked / "uv.lock").read_bytes()})
    words, _ = refusal(ensured, found)
    assert words.startswith("uv.lock: its packages cannot be installed: ")


LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "lab"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "evil" }]

[[package]]
name = "evil"
version = "1.0"
"""
WHEEL = f'"http://127.0.0.1:9/evil-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}"'


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            f'{{ git = "https://127.0.0.1:9/evil?rev=main#{"0" * 40}" }}',
            "evil @ git+https://127.0.0.1:9/evil",
        ),
        ('{ url = "http://127.0.0.1:9/evil-1.0-py3-none-any.whl" }', "evil @ http://127.0.0.1:9/evil-1.0"),
        ('{ path = "/etc/evil-1.0-py3-none-any.whl" }', "file:///etc/evil-1.0"),
        ('{ directory = "../evil" }', "../evil"),
        ('{ editable = "../evil" }', "-e ../evil"),
        ('{ editable = "/etc" }', "-e /etc"),
    ],
)
def test_a_package_that_is_not_of_an_index_is_refused_and_nobody_is_asked_for_it(
    place: str, line: str, ensured: Any, source: SOURCES
) -> None:
    lock = LOCK + f"source = {place}\n"
    if "whl" in place:
        there = WHEEL if "url" in place else WHEEL.replace("http://127.0.0.1:9/", "")
        lock += f"wheels = [{{ {'url' if 'url' in place else 'filename'} = {there} }}]\n"
    found = source({"pyproject.toml": PROJECT + 'dependencies = ["evil"]\n', "uv.lock": lock}, "learner")
    words, _ = refusal(ensured, found)
    assert words.startswith(f"uv.lock: expected NAME==VERSION with hashes, found '{line}")


def test_a_lock_that_names_an_index_gets_its_packages_from_the_one_that_is_set(
    ensured: Any, source: SOURCES, index: Any
) -> None:
    digest = index.wheel("evil", {"evil.py": ""}).partition("--hash=")[2]
    lock = LOCK + 'source = { registry = "http://127.0.0.1:9/simple" }\n'
    lock += f"wheels = [{{ url = {WHEEL} }}]\n".replace(f"sha256:{'a' * 64}", digest)
    found = source({"pyproject.toml": PROJECT + 'dependencies = ["evil"]\n', "uv.lock": lock}, "learner")
    environment = ensured(found, **index.settings())
    assert list(environment.folder.glob("lib/python*/site-packages/evil.py"))


@pytest.mark.parametrize(
    "line",
    [
        "six",
        "six>=1",
        f"six>=1 {HASH}",
        "six==1",
        f"six==1.* {HASH}",
        "six==1 --hash=md5:0123",
        "six==1 --hash=sha256:xyz",
        f"six @ http://127.0.0.1:9/six.whl {HASH}",
        f"six @ file:///etc/passwd {HASH}",
        "-e .",
        "./six",
        "-r other.txt",
        "-c other.txt",
        "--index-url http://127.0.0.1:9/",
        "--extra-index-url=http://127.0.0.1:9/",
        "--find-links .",
        "--no-binary :all:",
        "git+http://127.0.0.1:9/six",
        f"six==1 --config-settings=x {HASH}",
        f"six==1 ; os_name == '$(touch x)' {HASH}",
        f"-six==1 {HASH}",
        "six==1 --hash",
        "\x1b[2J" + "x" * 500,
    ],
)
def test_a_line_that_is_more_than_a_locked_package_is_refused(
    line: str, ensured: Any, source: SOURCES
) -> None:
    files = {"pyproject.toml": PROJECT, "requirements.lock": f"# fine\n\n{line}\n"}
    words, hint = refusal(ensured, source(files, "learner"))
    assert words.startswith("requirements.lock: expected NAME==VERSION with hashes, found ")
    assert len(words) < 160
    assert words.isprintable()
    assert hint.startswith("lock packages of the index alone, with `uv lock`")


def test_lines_are_the_same_however_they_are_written() -> None:
    found = requirements.normalised(
        f"# made by a tool\r\nZope.Interface [Test_A, b] == 6.1 ; python_version<'4' \\\r\n   {HASH}\\\r\n\n"
        f"six==1.0+local.1 \\\n  --hash=sha512:{'b' * 128} \\\n    {HASH} # via lab\n",
        Source(Path(), "lab", "x"),
        "requirements.lock",
    )
    assert found == (
        f"six==1.0+local.1 {HASH} --hash=sha512:{'b' * 128}",
        f"zope-interface[b,test-a]==6.1 ; python_version<'4' {HASH}",
    )
    assert requirements.names(found) == {"six", "zope-interface"}


def test_a_lock_of_too_many_packages_is_refused(ensured: Any, source: SOURCES) -> None:
    lines = "".join(f"p{number}==1 {HASH}\n" for number in range(2001))
    assert refusal(ensured, source({"pyproject.toml": PROJECT, "requirements.lock": lines})) == (
        "requirements.lock: it names more than 2000 packages",
        "depend on less",
    )


def test_a_lock_that_is_not_text_is_refused(ensured: Any, source: SOURCES) -> None:
    for name in ("uv.lock", "requirements.lock"):
        words, hint = refusal(ensured, source({"pyproject.toml": PROJECT, name: b"\xff"}))
        assert (words, hint) == (f"{name}: it is not UTF-8", "make the lock again")


def test_a_lock_that_is_no_plain_file_or_too_large_is_refused(ensured: Any, source: SOURCES) -> None:
    found = source({"pyproject.toml": PROJECT}, "learner")
    lock = found.folder / "uv.lock"
    os.mkfifo(lock)
    plain = ("uv.lock: expected a plain file of at most 5000000 bytes", "make it one")
    assert refusal(ensured, found) == plain
    lock.unlink()
    lock.mkdir()
    assert refusal(ensured, found) == plain
    lock.rmdir()
    lock.symlink_to("/etc/passwd")
    assert refusal(ensured, found) == (
        "uv.lock: cannot be read: Too many levels of symbolic links",
        "make it a plain file",
    )
    lock.unlink()
    with lock.open("wb") as file:
        file.truncate(5_000_001)
    assert refusal(ensured, found) == plain


def test_the_policy_says_whose_lock_counts(source: SOURCES, tmp_path: Path) -> None:
    starter = source({"pyproject.toml": PROJECT})
    learner = tmp_path / "learner"
    learner.mkdir()
    (learner / "pyproject.toml").write_text(PROJECT)
    assert chosen(starter, learner, "python", "learner") == starter
    (learner / "uv.lock").touch()
    assert chosen(starter, learner, "python", "lab") == starter
    assert chosen(starter, learner, "node", "learner") == starter
    assert chosen(starter, learner, "python", "learner") == Source(learner, "learner", "your folder")
    (learner / "package-lock.json").touch()
    assert chosen(starter, learner, "node", "learner").folder == learner
