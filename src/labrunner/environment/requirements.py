"""A locked set of Python packages, as lines that name no place to fetch them from."""

import re
from collections.abc import Iterator

from labrunner.environment.sources import Source

# More is no lab's need, and every package costs a request.
MOST = 2000

_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?: ?\[(?P<extras>[A-Za-z0-9._, -]+)\])?"
    r" ?== ?(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"(?: ?; ?(?P<marker>[A-Za-z0-9_.<>=!~'\"(), *+-]+))?"
)
_HASH = re.compile(r"--hash=(?:sha256|sha384|sha512):[0-9a-f]{64,128}")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_SHOWN = 80


def normalised(text: str, source: Source, file: str) -> tuple[str, ...]:
    """The lines of a lock, sorted: `NAME[EXTRAS]==VERSION ; MARKER --hash=...`.

    An error with the remedy when a line is anything but a package of an index, one version, and its hashes.
    """
    lines = {_line(words, source, file) for words in _joined(text)}
    if len(lines) > MOST:
        raise source.wrong(file, f"it names more than {MOST} packages", hint="depend on less")
    return tuple(sorted(lines))


def canonical(name: str) -> str:
    """A package's name in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(lines: tuple[str, ...]) -> frozenset[str]:
    """The packages that normalised lines name."""
    return frozenset(re.split(r"[\[=]", line, maxsplit=1)[0] for line in lines)


def unconditional_name(requirement: str) -> str | None:
    """The package that a dependency always asks for; None for one with a condition, or with no name."""
    found = _NAME.match(requirement)
    return canonical(found[1]) if found and ";" not in requirement else None


def _joined(text: str) -> Iterator[str]:
    """The lines without comments, those that a backslash continues made one."""
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        words = _COMMENT.sub("", line).strip()
        if words:
            yield words


def _line(words: str, source: Source, file: str) -> str:
    tokens = words.split()
    hashes = sorted({token for token in tokens if token.startswith("--hash=")})
    found = _LINE.fullmatch(" ".join(token for token in tokens if not token.startswith("--hash=")))
    if not found or not hashes or not all(map(_HASH.fullmatch, hashes)):
        shown = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
        raise source.wrong(
            file,
            f"expected NAME==VERSION with hashes, found {shown!r}",
            hint="lock packages of the index alone, with `uv lock`, or with `uv pip compile --universal"
            " --generate-hashes --no-emit-index-url --output-file requirements.lock pyproject.toml`",
        )
    extras = sorted(canonical(extra.strip()) for extra in (found["extras"] or "").split(",") if extra.strip())
    line = canonical(found["name"]) + (f"[{','.join(extras)}]" if extras else "") + f"=={found['version']}"
    marker = f" ; {found['marker']}" if found["marker"] else ""
    return " ".join([line + marker, *hashes])
