"""The place of a character within a scalar, however YAML writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from facility.yamlfile import load

TEXT = 'car.speed > 1 and it\'s "x" or WRONG > 3'


def place(folder: Path, text: str, word: str = "WRONG") -> tuple[int, int]:
    """Where the document says that the word stands in the value of `a`."""
    file = folder / "a.yaml"
    file.write_bytes(text.encode())
    document = load(file)
    value = document.data["a"]  # type: ignore[index]
    problem = document.problem(("a",), "here", offset=value.index(word))
    return problem.line, problem.column


def where(text: str, word: str = "WRONG") -> tuple[int, int]:
    """Where an eye finds it in the file."""
    for number, line in enumerate(text.splitlines(), 1):
        if word in line:
            return number, line.index(word) + 1
    raise AssertionError


@pytest.mark.parametrize(
    "text",
    [
        "a: x > 1 or WRONG > 3\n",
        "a:   x > 1   or   WRONG > 3   # a remark\n",
        "b: 1\na: x > 1\n    or y > 2\n    or WRONG > 3\n",
        "a: 'x == ''it'' or WRONG'\n",
        'a: "x == \\"it\\" or \\x41 \\u0042 WRONG"\n',
        'a: "x \\\n   or \\n WRONG"\n',
        "a: 'x\n\n   or WRONG'\n",
        "a: >-\n  x > 1\n  or WRONG > 3\n",
        "a: >-  # a remark\n\n    x > 1\n\n      or WRONG > 3\n",
        "a: |\n  x > 1\n  or WRONG > 3\nb: 1\n",
        "a: |2-\n    x > 1\n   or WRONG > 3\n",
        "{b: 1, a: x or WRONG}\n",
        "b: 温度\na: 温度 or WRONG\n",
        "b: 1\r\na: >-\r\n  x\r\n  or WRONG\r\n",
        "a: &anchor WRONG\n",
        "a: !!str WRONG\n",
    ],
)
def test_it_is_found_where_it_stands(tmp_path: Path, text: str) -> None:
    if "&" in text or "!!" in text:  # the mark is that of the anchor or the tag: the scalar's beginning has to do
        assert place(tmp_path, text) == (1, 4)
        return
    assert place(tmp_path, text) == where(text)


def test_the_end_is_just_behind_the_last_character(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for text, expected in (("a: x >  # more\n", (1, 7)), ("a: >-\n  x\n  y >\n\n", (3, 6)), ("a: 'x >'\n", (1, 8))):
        file.write_text(text, encoding="utf-8")
        problem = load(file).problem(("a",), "here", offset=len(load(file).data["a"]))  # type: ignore[index]
        assert (problem.line, problem.column) == expected


def test_without_a_scalar_or_an_offset_the_line_has_to_do(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: [1, 2]\n", encoding="utf-8")
    document = load(file)
    assert document.problem(("a",), "here", offset=0).column == 0
    assert str(document.problem(("a", 1), "here")) == f"{file}:1: a[1]: here"
    assert str(document.problem(("a", 1), "here", offset=0)) == f"{file}:1:8: a[1]: here"


@given(
    st.text(st.sampled_from("ab'\" :#\n温"), min_size=1, max_size=30),
    st.sampled_from(["'", '"', "|", ">", None]),
    st.data(),
)
def test_every_character_of_what_yaml_writes_is_found(
    tmp_path_factory: pytest.TempPathFactory, text: str, style: str | None, data: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(yaml.dump({"a": text}, default_style=style, allow_unicode=True, width=12), encoding="utf-8")
    document = load(file)
    value = document.data["a"]  # type: ignore[index]
    if not isinstance(value, str) or value.isspace():
        return
    offset = data.draw(st.sampled_from([number for number, character in enumerate(value) if not character.isspace()]))
    problem = document.problem(("a",), "here", offset=offset)
    line = file.read_text(encoding="utf-8").split("\n")[problem.line - 1]
    assert problem.column > 0
    assert line[problem.column - 1 :].startswith((value[offset], "\\"))
