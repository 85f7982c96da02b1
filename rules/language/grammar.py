"""The text of a rule expression as a syntax tree, once it is known to be short, shallow and plain enough to be parsed.

Python's own parser does the parsing; nothing of the text is ever executed. Length, characters and nesting are bounded
before it begins, the number of nodes after it.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings

from facility.errors import CaretakerError

MAX_LENGTH = 500
MAX_NODES = 200
MAX_NESTING = 20

_IN_UNITS = "°³₂Ω"
"""What stands in the symbols of units beside plain characters; it may stand within quotes."""
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h|d)")
_SPAN_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_KEYWORD_PART = re.compile(r"\.(" + "|".join(keyword.kwlist) + r")\b")


class ExpressionError(CaretakerError):
    """An expression can't be used: why, and at which column (1-based)."""

    def __init__(self, message: str, column: int) -> None:
        self.message = message
        self.column = column
        super().__init__(f"column {column}: {message}")


def milliseconds(text: str) -> int | None:
    """A span such as `10s`, `1.5m`, `2h` in ms; None if it is not one."""
    found = _SPAN.fullmatch(text)
    return round(float(found[1]) * _SPAN_MS[found[2]]) if found else None


def parse(text: str) -> ast.expr:
    """The tree of one expression, columns as in `text`; ExpressionError if it is too long, too deep or no expression.

    A part of a point key that is a Python keyword (`e.import`) comes back capitalised; `source` and `part` undo it.
    """
    _bounded(text)
    line = _KEYWORD_PART.sub(lambda found: found[0].title(), re.sub(r"[\n\t]", " ", text))
    lead = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(line.lstrip(), mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"syntax: {error.msg}", lead + (error.offset or len(line.strip()) + 1)) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError("can't be parsed", 1) from error
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise ExpressionError(f"more than {MAX_NODES} parts", 1)
    plain = line.lstrip().encode()  # Python counts bytes
    for node in nodes:
        if isinstance(node, ast.expr):
            node.col_offset = len(plain[: node.col_offset].decode()) + lead
    return tree.body


def part(name: str) -> str:
    """A part of a point key as people write it."""
    return name.lower() if keyword.iskeyword(name.lower()) else name


def source(node: ast.expr) -> str:
    """The node's text, blanks normalised."""
    return re.sub(r"\.([A-Z]\w*)", lambda found: found[0].lower(), ast.unparse(node))


def column(node: ast.expr) -> int:
    """Where the node begins, 1-based."""
    return node.col_offset + 1


def wrong(node: ast.expr, message: str) -> ExpressionError:
    """What to raise for a node that can't stand."""
    return ExpressionError(message, column(node))


def _bounded(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"{len(text)} characters; the limit is {MAX_LENGTH}", MAX_LENGTH + 1)
    if not text.strip():
        raise ExpressionError("is empty", 1)
    depth, quote = 0, ""
    for place, character in enumerate(text, 1):
        quoted = bool(quote)
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        plain = " " <= character <= "~" or character in "\n\t" or (quoted and character in _IN_UNITS)
        if not plain or character in "\\#;":
            raise ExpressionError(f"{character!r} has no place in an expression", place)
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_NESTING:
            raise ExpressionError(f"more than {MAX_NESTING} brackets inside each other", place)
