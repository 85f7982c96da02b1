"""Read one YAML file strictly: YAML 1.2 scalars, no duplicate keys, no aliases bombs, every value with its line.

PyYAML's own resolver is YAML 1.1 (`on`, `off`, `no` become booleans), which is wrong for state codes, so scalars are
resolved here by the 1.2 core schema. `${NAME}` and `${NAME:-default}` are replaced from the environment, if given.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from facility.errors import ConfigError, Problem
from facility.yamlplace import Scalar

MAX_FILE = 2_000_000
"""Bytes of one configuration file."""

MAX_DEPTH = 32
"""Levels of nesting; libyaml itself dies of a few ten thousand."""

_BRACKET = re.compile(r"[\[\]{}]")
_COMPACT = re.compile(rf"(?:[-?:][ \t]+){{{MAX_DEPTH}}}")
_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge", "value")
}
"""What PyYAML itself gives a value without a tag; the value is resolved again here."""
_SECRETS = ("password", "token")
"""Keys whose values are never shown."""
_WORDS: Mapping[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}

Path_ = tuple[str | int, ...]


class Strict(BaseModel):
    """Base of every configuration shape: unknown keys refused, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=Strict)


@dataclass
class Document:
    """A parsed file: its data, the line of each place in it, and where the text of each scalar stands."""

    file: str
    data: object
    lines: dict[Path_, int] = field(default_factory=dict)
    scalars: dict[Path_, Scalar] = field(default_factory=dict)

    def line(self, path: Path_) -> int:
        """The line of a place, or of the nearest place around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path_, message: str, *, offset: int | None = None) -> Problem:
        """A problem at a place of this file, or at the character `offset` (from 0) of the text that stands there."""
        scalar = self.scalars.get(path)
        if offset is None or scalar is None:
            return Problem(self.file, self.line(path), _dotted(path), message)
        line, column = scalar.place(offset)
        return Problem(self.file, line, _dotted(path), message, column)

    def parse(self, model: type[M]) -> M:
        """The data as a strict model; ConfigError with every problem at once."""
        found, problems = self.read(model)
        if found is None or problems:
            raise ConfigError(problems)
        return found

    def read(self, model: type[M]) -> tuple[M | None, list[Problem]]:
        """The same with the problems beside it: with unknown keys it is read as if they were not there.

        So a check can go on to tell what else is wrong. None when anything else is.
        """
        text = json.dumps({} if self.data is None else self.data)
        try:
            return model.model_validate_json(text), []
        except ValidationError as error:
            errors = error.errors()
        problems = [self.problem(self._known(item["loc"]), _explain(item)) for item in errors]
        if any(item["type"] != "extra_forbidden" for item in errors):
            return None, problems
        try:
            return model.model_validate_json(_without(text, [item["loc"] for item in errors])), problems
        except (ValidationError, KeyError, IndexError, TypeError):
            return None, problems

    def _known(self, location: tuple[str | int, ...]) -> Path_:
        """Drop the parts that pydantic adds for unions, so that the place is one of the file's own."""
        path: Path_ = ()
        for part in location:
            if (*path, part) in self.lines:
                path = (*path, part)
            elif isinstance(part, str) and part.lstrip("-").isdigit() and (*path, int(part)) in self.lines:
                path = (*path, int(part))
        last = location[-1] if location else ""
        return path if not last or last in path or not isinstance(last, str) else (*path, last)


def _without(text: str, places: Iterable[tuple[str | int, ...]]) -> str:
    """JSON without the values at these places; KeyError, IndexError or TypeError when one is not there."""
    data: Any = json.loads(text)
    for place in places:
        inside = data
        for part in place[:-1]:
            inside = inside[part]
        del inside[place[-1]]
    return json.dumps(data)


def load(path: Path, *, name: str = "", env: Mapping[str, str] | None = None) -> Document:
    """Read a file; ConfigError with file and line for anything that is not plain, unambiguous YAML."""
    document = Document(name or str(path), None)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(document.file, 0, "", f"cannot be read: {error.strerror or error}")]) from error
    if len(raw) > MAX_FILE:
        raise ConfigError([Problem(document.file, 0, "", f"{len(raw)} bytes; the limit is {MAX_FILE}")])
    try:
        text = raw.decode()
        if _too_deep(text):
            raise ConfigError([Problem(document.file, 0, "", f"is nested deeper than {MAX_DEPTH} levels")])
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(document.file, 0, "", "is not UTF-8 text")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 0
        raise ConfigError([Problem(document.file, line, "", f"YAML: {error.problem or error.context}")]) from error
    except yaml.YAMLError as error:
        raise ConfigError([Problem(document.file, 0, "", f"YAML: {error}")]) from error
    if node is not None:
        reader = _Reader(document, text, env)
        document.data = reader.read(node, ())
        if reader.problems:
            raise ConfigError(reader.problems)
    return document


def files(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder (none if there is no folder), by name."""
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))


class _Reader:
    def __init__(self, document: Document, text: str, env: Mapping[str, str] | None) -> None:
        self.document = document
        self.text = text
        self.env = env
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: Path_) -> object:
        self.document.lines[path] = node.start_mark.line + 1
        if node.tag not in _TAGS:
            self.problems.append(self.document.problem(path, f"the tag {node.tag!r} is not known here"))
        if isinstance(node, yaml.ScalarNode):
            self.document.scalars[path] = Scalar.of(node, self.text)
            return self._scalar(node, path)
        if len(path) > MAX_DEPTH:
            self.problems.append(self.document.problem(path, f"is nested deeper than {MAX_DEPTH} levels"))
            return None
        if id(node) in self._open or len(self.document.lines) > 200_000:
            self.problems.append(self.document.problem(path, "an alias that contains itself, or far too many values"))
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: Path_) -> dict[str | int, object]:
        result: dict[str | int, object] = {}
        for key_node, value_node in node.value:
            key = self.read(key_node, (*path, "?"))
            key = key if isinstance(key, str | int) and not isinstance(key, bool) else str(key_node.value)
            place = (*path, key)
            if key in result:
                self.document.lines[place] = key_node.start_mark.line + 1
                self.problems.append(self.document.problem(place, "the key stands here twice"))
            result[key] = self.read(value_node, place)
            self.document.lines[place] = key_node.start_mark.line + 1
        self.document.lines.pop((*path, "?"), None)
        self.document.scalars.pop((*path, "?"), None)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> object:
        text: str = node.value
        if self.env is not None and "${" in text:
            text = self._substitute(text, path)
        if node.style in ("'", '"', "|", ">"):
            return text
        return resolve(text)

    def _substitute(self, text: str, path: Path_) -> str:
        def value(match: re.Match[str]) -> str:
            name, default = match.group(1), match.group(2)
            found = (self.env or {}).get(name, default)
            if found is None:
                self.problems.append(self.document.problem(path, f"the environment variable {name} is not set"))
                return ""
            return found

        return _ENV.sub(value, text)


def resolve(text: str) -> object:
    """A plain scalar by the YAML 1.2 core schema; infinities and NaN stay text, nothing here wants them."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40:  # no number that means anything is longer, and int() refuses thousands of digits
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return text if math.isinf(number) else number
    return text


def _too_deep(text: str) -> bool:
    """Whether brackets or compact lists nest too deeply; brackets inside quotes count too, which only errs early."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > MAX_DEPTH:
            return True
    return _COMPACT.search(text) is not None


def _dotted(path: Path_) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _explain(item: object) -> str:
    """pydantic's message in the words of someone who writes YAML."""
    error: dict[str, object] = dict(item)  # type: ignore[call-overload]
    kind, message = str(error["type"]), str(error["msg"])
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "is missing"
    given, place = error.get("input"), error.get("loc")
    secret = isinstance(place, tuple) and place and place[-1] in _SECRETS
    shown = "" if secret or isinstance(given, dict | list) else f" (it is {given!r})"
    return message.removeprefix("Value error, ") + shown
