"""SQL text taken apart into its statements, as psql would do it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_WORD_START: Final = r"A-Za-z_\x80-\U0010ffff"
_TOKEN: Final = re.compile(
    rf"""
      (?P<space>[ \t\n\r\f\v]+ | --[^\n\r]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]')
    | (?P<quoted>(?:[uU]&|[bBxXnN])?')
    | (?P<name>(?:[uU]&)?")
    | (?P<dollar>\$(?:[{_WORD_START}][{_WORD_START}0-9]*)?\$)
    | (?P<word>[{_WORD_START}][{_WORD_START}0-9$]*)
    | (?P<meta>\\\S*)
    | (?P<other>[0-9]+|.)
    """,
    re.VERBOSE,
)
_QUOTED_END: Final = re.compile(r"[^']*+(?:''[^']*+)*+'")
_ESCAPED_END: Final = re.compile(r"[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'", re.DOTALL)
_NAME_END: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
# A quote after a line break goes on with the same literal, under the same rules for backslashes.
_CONTINUATION: Final = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+'")
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")
_ROUTINES: Final = (
    ("create", "function"),
    ("create", "procedure"),
    ("create", "or", "replace", "function"),
    ("create", "or", "replace", "procedure"),
)


class SplitError(Exception):
    """The text cannot be taken apart; `line` is where the trouble begins."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement without its semicolon, which begins in this line of the file `path` (empty: none)."""

    text: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int
    text: str


def split(source: str, path: str = "") -> tuple[Statement, ...]:
    """Return the statements of an SQL text, without the comments around them.

    Semicolons within quotes, comments, parentheses and the bodies of `BEGIN ATOMIC` functions end nothing.
    Raises SplitError for a quote or comment without an end and for a command of psql.
    """
    statements: list[Statement] = []
    line, counted = 1, 0
    for start, end in _spans(source):
        # Counted on from statement to statement: a file of 100 000 statements is not read 100 000 times.
        line += source.count("\n", counted, start)
        counted = start
        statements.append(Statement(source[start:end], line, path))
    return tuple(statements)


def _spans(source: str) -> Iterator[tuple[int, int]]:
    start, end = -1, -1
    nesting = _Nesting()
    for token in _tokens(source):
        if token.text == ";" and nesting.is_outermost():
            if start >= 0:
                yield start, end
            start, nesting = -1, _Nesting()
        else:
            start, end = (token.start if start < 0 else start), token.end
            nesting.follow(token)
    if start >= 0:
        yield start, end


class _Nesting:
    """How deep in parentheses and in BEGIN … END of a routine's body the reading is."""

    def __init__(self) -> None:
        self.parentheses = 0
        self.blocks = 0
        self.first_words: tuple[str, ...] = ()

    def is_outermost(self) -> bool:
        return self.parentheses == 0 and self.blocks == 0

    def follow(self, token: _Token) -> None:
        if token.text == "(":
            self.parentheses += 1
        elif token.text == ")":
            self.parentheses = max(0, self.parentheses - 1)
        elif token.kind == "word":
            self._follow_word(token.text.lower())

    def _follow_word(self, word: str) -> None:
        if len(self.first_words) < max(map(len, _ROUTINES)):
            self.first_words += (word,)
        if self.parentheses or not any(self.first_words[: len(start)] == start for start in _ROUTINES):
            return
        if word == "begin" or (word == "case" and self.blocks):
            self.blocks += 1
        elif word == "end":
            self.blocks = max(0, self.blocks - 1)


def _tokens(source: str) -> Iterator[_Token]:
    """Yield all that is neither white space nor comment."""
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        # Every character but a line break matches `other`, and line breaks match `space`.
        assert match is not None and match.lastgroup is not None  # noqa: S101, PT018
        kind = match.lastgroup
        end = _end(source, match, kind)
        if kind not in {"space", "comment"}:
            yield _Token(kind, position, end, source[position : min(end, position + 64)])
        position = end


def _end(source: str, match: re.Match[str], kind: str) -> int:
    start, end = match.span()
    if kind == "comment":
        return _comment_end(source, start)
    if kind == "escaped":
        return _escaped_end(source, start, end)
    if kind == "quoted":
        return _closed(source, _QUOTED_END.match(source, end), start, "a text in quotes")
    if kind == "name":
        return _closed(source, _NAME_END.match(source, end), start, "a name in double quotes")
    if kind == "dollar":
        closing = source.find(match[0], end)
        if closing < 0:
            raise SplitError(f"a text that begins with {match[0]} has no end", _line(source, start))
        return closing + len(match[0])
    if kind == "meta":
        raise SplitError(f"{match[0][:40]} is a command of psql; only SQL is read here", _line(source, start))
    return end


def _escaped_end(source: str, start: int, end: int) -> int:
    end = _closed(source, _ESCAPED_END.match(source, end), start, "a text in quotes")
    while continuation := _CONTINUATION.match(source, end):
        end = _closed(source, _ESCAPED_END.match(source, continuation.end()), start, "a text in quotes")
    return end


def _comment_end(source: str, start: int) -> int:
    depth = 0
    for mark in _COMMENT_MARK.finditer(source, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise SplitError("a comment that begins with /* has no end", _line(source, start))


def _closed(source: str, match: re.Match[str] | None, start: int, what: str) -> int:
    if match is None:
        raise SplitError(f"{what} has no end", _line(source, start))
    return match.end()


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1
