import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from labrunner.intake.refusal import shown

OUTSIDE = "points outside of the submission"
UNSEEN = "has an invisible or control character in its name"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil", f"'../evil' {OUTSIDE}"),
        ("a/../../evil", f"'a/../../evil' {OUTSIDE}"),
        ("a/..", f"'a/..' {OUTSIDE}"),
        ("node_modules/../../evil", f"'node_modules/../../evil' {OUTSIDE}"),
        ("/etc/evil", "'/etc/evil' is an absolute path"),
        ("//etc/evil", "'//etc/evil' is an absolute path"),
        ("C:evil", "'C:evil' begins with a drive letter"),
        ("c:/evil", "'c:/evil' begins with a drive letter"),
        ("..\\evil", r"'..\evil' has a backslash in its name"),
        ("a\nb", rf"'a\nb' {UNSEEN}"),
        ("a\x1b]52;c;aGk=\x07", rf"'a\x1b]52;c;aGk=\x07' {UNSEEN}"),
        ("a\rb", rf"'a\rb' {UNSEEN}"),
        ("a\x7f", rf"'a\x7f' {UNSEEN}"),
        ("a\x9bb", rf"'a\x9bb' {UNSEEN}"),
        ("a\u202egpj.py", rf"'a\u202egpj.py' {UNSEEN}"),
        ("a\u200bb", rf"'a\u200bb' {UNSEEN}"),
        ("a\u2028b", rf"'a\u2028b' {UNSEEN}"),
        ("a\U000e0041", rf"'a\U000e0041' {UNSEEN}"),
        ("-rf", "'-rf' has a name that begins with a dash, as an option does"),
        ("a/--help/b", "'a/--help/b' has a name that begins with a dash, as an option does"),
        ("n" * 256, f"'{'n' * 199}…' has a name of more than 255 bytes"),
        ("é" * 128, f"'{'é' * 128}' has a name of more than 255 bytes"),
        ("n" * 5000, f"'{'n' * 199}…' has a path of more than 1 024 bytes"),
        ("a/" * 64 + "b", f"'{'a/' * 64}b' lies more than 64 folders deep"),
        ("a/" * 10_000 + "b", f"'{'a/' * 99}a…' has a path of more than 1 024 bytes"),
    ],
)
def test_a_hostile_name_is_refused_in_a_tar_and_in_a_zip(
    tar: Any, zipped: Any, entry: Any, refusal: Callable[..., str], name: str, why: str
) -> None:
    assert refusal(tar.pax(("path", name.encode())).add("x").end()) == why
    assert refusal(zipped(entry(name.encode(), flags=0x800))) == why


def test_a_name_with_nul_is_refused(tar: Any, zipped: Any, entry: Any, refusal: Callable[..., str]) -> None:
    why = rf"'a.py\x00.txt' {UNSEEN}"
    assert refusal(zipped(entry(b"a.py\0.txt"))) == why
    assert refusal(tar.pax(("path", b"a.py\0.txt")).add("x").end()) == why


def test_a_name_that_is_not_utf_8_is_refused(
    tar: Any, zipped: Any, entry: Any, refusal: Callable[..., str]
) -> None:
    why = r"'caf\xe9' has a name that is not UTF-8"
    assert refusal(tar.add(b"caf\xe9").end()) == why
    assert refusal(zipped(entry(b"caf\xe9", flags=0x800))) == why


def test_a_zip_of_an_old_tool_has_names_in_its_old_code_page(
    zipped: Any, entry: Any, taken: Any, tree: Any
) -> None:
    with taken(zipped(entry(b"caf\x82"), entry("thé".encode()))) as found:
        assert sorted(tree(found.folder)) == ["café", "thé"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("App.py", "app.py"),
        ("src/a.py", "SRC/b.py"),
        ("straße", "STRASSE"),
        (unicodedata.normalize("NFC", "é.py"), unicodedata.normalize("NFD", "é.py")),
        (unicodedata.normalize("NFC", "Å"), unicodedata.normalize("NFD", "å")),
    ],
)
def test_two_names_that_are_one_on_other_systems_are_refused(
    tar: Any, zipped: Any, entry: Any, refusal: Callable[..., str], first: str, second: str
) -> None:
    archive = tar.add(first).add(second).end()
    one, other = (name.rpartition("/")[0] or name for name in (first, second))
    why = f"{shown(other)} and {shown(one)} are one name where case or Unicode form do not count"
    assert refusal(archive) == why
    assert refusal(zipped(entry(first.encode()), entry(second.encode()))) == why


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a", "a"], "'a' is there twice"),
        (["a", "./a"], "'a' is there twice"),
        (["a/b", "a//b"], "'a/b' is there twice"),
        (["a", "a/b"], "'a' is both a file and a folder"),
        (["a/b", "a"], "'a' is both a file and a folder"),
        (["a/", "a"], "'a' is both a file and a folder"),
        (["a", "a/"], "'a' is both a file and a folder"),
    ],
)
def test_a_path_that_is_taken_is_refused(
    tar: Any, zipped: Any, entry: Any, refusal: Callable[..., str], names: list[str], why: str
) -> None:
    for name in names:
        tar.add(name, kind=b"5" if name.endswith("/") else b"0")
    assert refusal(tar.end()) == why
    entries = [entry(name.encode(), mode=0o040755 if name.endswith("/") else 0o100644) for name in names]
    assert refusal(zipped(*entries)) == why


def test_names_in_any_script_are_taken_in(tar: Any, taken: Any, tree: Any) -> None:
    names = [
        "ключ.py",
        "キー.py",
        "\u0646\u0627\u0645\u200c\u0647\u0627.py",
        "👩\u200d💻.py",
        "with space.py",
        "12:30",
        "…",
        "~",
        "a.b-c_d",
    ]
    for name in names:
        tar.add(name, name.encode())
    with taken(tar.end()) as found:
        assert tree(found.folder) == {name: name.encode() for name in names}


def test_a_folder_may_be_named_twice_and_the_top_by_a_dot(tar: Any, taken: Any, tree: Any) -> None:
    tar.add("./", kind=b"5").add("./a/", kind=b"5").add("a", kind=b"5").add("a/./b", b"b").add("a/c/d", b"d")
    with taken(tar.end()) as found:
        assert tree(found.folder) == {"a": None, "a/b": b"b", "a/c": None, "a/c/d": b"d"}


def test_what_tools_left_behind_is_left_out_and_counted(
    tar: Any, zipped: Any, entry: Any, taken: Any, tree: Any
) -> None:
    names = [
        "a.py",
        "__MACOSX/._a.py",
        "._a.py",
        ".DS_Store",
        "__pycache__/a.pyc",
        "b/__pycache__/x",
        "b/c.py",
    ]
    for name in names:
        tar.add(name, b"x")
    tar.add(".venv/bin/python", kind=b"2", target=b"/usr/bin/python3")
    tar.add("node_modules/.bin/-x", kind=b"1", target=b"/etc/shadow")
    with taken(tar.end()) as found:
        assert tree(found.folder) == {"a.py": b"x", "b": None, "b/c.py": b"x"}
        assert found.left_out == 7
    link = entry(b"node_modules/x", b"/etc/passwd", mode=0o120777)
    with taken(zipped(*(entry(name.encode(), b"x") for name in names), link)) as found:
        assert tree(found.folder) == {"a.py": b"x", "b": None, "b/c.py": b"x"}
        assert found.left_out == 6
