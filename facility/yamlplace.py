"""Where a character of a YAML scalar stands in its file: line and column, through folding, quotes and indentation.

What YAML changes between the file and the value is white space, doubled quotes and escapes. So the characters that are
not white space are counted: the n-th of the value is the n-th of the source, once an escape counts as what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN = frozenset("\"'/\\")
"""Escapes that give the character itself."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar of a file: the file's text, where it begins (characters from 0) and ends, its style and its value."""

    text: str
    begin: int
    end: int
    line: int
    column: int
    style: str
    value: str

    @classmethod
    def of(cls, node: yaml.ScalarNode, text: str) -> Scalar:
        """The scalar of a node of `text`."""
        begin, end = node.start_mark, node.end_mark
        return cls(text, begin.index, end.index, begin.line + 1, begin.column + 1, node.style or "", node.value)

    def place(self, offset: int) -> tuple[int, int]:
        """(line, column), from 1, of the value's character at `offset`; its beginning where that can't be said.

        An `offset` past the end is just behind the last character.
        """
        visible = [number for number, character in enumerate(self.value) if not character.isspace()]
        wanted = sum(number < offset for number in visible)
        places = list(self._places())
        if len(places) != len(visible) or not places:
            return self.line, self.column
        if wanted < len(places):
            return self._at(places[wanted][0])
        return self._at(places[-1][1])

    def _at(self, index: int) -> tuple[int, int]:
        breaks = [found.end() for found in _BREAK.finditer(self.text, self.begin, index)]
        if not breaks:
            return self.line, self.column + index - self.begin
        return self.line + len(breaks), index - breaks[-1] + 1

    def _places(self) -> Iterator[tuple[int, int]]:
        """(begin, end) in the file of each character of the value that is no white space."""
        index, end = self.begin, self.end
        if self.style in ("|", ">"):
            found = _BREAK.search(self.text, index)
            index = found.end() if found else end
        elif self.style:
            index, end = index + 1, end - 1
        while index < end:
            length, seen = self._one(index)
            if seen:
                yield index, index + length
            index += length

    def _one(self, index: int) -> tuple[int, bool]:
        """How many characters of the file give the one at `index`, and whether it is to be seen."""
        character = self.text[index]
        if self.style == "'" and self.text.startswith("''", index):
            return 2, True
        escape = _ESCAPE.match(self.text, index) if self.style == '"' and character == "\\" else None
        if escape is None:
            return 1, not character.isspace()
        name = escape[1]
        if len(name) > 1:
            return len(escape[0]), not chr(int(name[1:], 16)).isspace()
        return 2, name in _PLAIN or name in "0abe"
