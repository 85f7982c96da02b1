"""Strict YAML: 1.2 scalars, lines for every place, and nothing that hurts the reader."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import ConfigError
from facility.yamlfile import MAX_DEPTH, MAX_FILE, Strict, files, load, resolve


def read(tmp_path: Path, text: str, **env: str) -> object:
    """The data of a text."""
    path = tmp_path / "file.yaml"
    path.write_text(text)
    return load(path, env=env or None).data


def problems(tmp_path: Path, text: str | bytes, **env: str) -> list[tuple[int, str]]:
    """(line, message) of everything wrong with a text."""
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as error:
        load(path, env=env)
    return [(problem.line, problem.message) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("false", False), ("0", 0), ("-12", -12), ("+3", 3),
        ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("007", 7),
        # YAML 1.1 would make these booleans, octal, sexagesimal, dates
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("True", "True"), ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"), ("0o17", "0o17"), ("1_000", "1_000"),
        # no finite number
        (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("9" * 41, "9" * 41),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@given(st.text(max_size=60))
def test_any_plain_scalar_becomes_something_finite(text: str) -> None:
    value = resolve(text)
    assert not isinstance(value, float) or abs(value) < float("inf")


def test_quoted_scalars_stay_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a: \"12\"\nb: 'true'\nc: |\n  1\n") == {"a": "12", "b": "true", "c": "1\n"}


def test_numbers_may_be_keys_and_flags_may_not(tmp_path: Path) -> None:
    assert read(tmp_path, "0: a\n0x10: b\ntrue: c\n1.5: d\n") == {0: "a", 16: "b", "true": "c", "1.5": "d"}


def test_every_place_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("# remark\na:\n  - x\n  - {b: 1,\n     c: 2}\n")
    document = load(path)
    assert [document.line(place) for place in [("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("a", 1, "c")]] == [
        2,
        3,
        4,
        4,
        5,
    ]
    assert document.line(("a", 1, "c", "deeper")) == 5  # the nearest place around it
    assert document.problem(("a", 1, "c"), "wrong").path == "a[1].c"


def test_an_alias_is_read_again_at_its_own_place(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_environment(tmp_path: Path) -> None:
    text = "a: ${PORT}\nb: x-${NAME:-nobody}-y\nc: '${PORT}'\nd: ${EMPTY:-}\n"
    assert read(tmp_path, text, PORT="8000") == {"a": 8000, "b": "x-nobody-y", "c": "8000", "d": None}
    assert read(tmp_path, "a: ${PORT}\n") == {"a": "${PORT}"}  # no environment given
    assert problems(tmp_path, "a: 1\nb: ${NOPE}${NADA}\n") == [
        (2, "the environment variable NADA is not set"),
        (2, "the environment variable NOPE is not set"),
    ]


def test_a_value_of_the_environment_is_not_expanded_again(tmp_path: Path) -> None:
    assert read(tmp_path, "a: ${A}\n", A="${B}", B="secret") == {"a": "${B}"}


def test_duplicate_keys_at_any_depth(tmp_path: Path) -> None:
    text = "a: 1\nb:\n  c: 1\n  c: 2\na: 2\n"
    assert problems(tmp_path, text) == [(4, "the key stands here twice"), (5, "the key stands here twice")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", "YAML: "),
        ("a: *nobody\n", "YAML: "),
        ("a: 1\n---\nb: 2\n", "YAML: "),
        ("a: !!python/object/apply:os.system [ls]\n", "is not known here"),
        ("a: !env X\n", "the tag '!env' is not known here"),
        (b"a: \xff\xfe\n", "is not UTF-8 text"),
        (b"a: \x00\n", "YAML: "),
        ("#" * (MAX_FILE + 1), "the limit is"),
        ("[" * 100_000, "nested deeper than"),
        ("{a: " * 100_000, "nested deeper than"),
        ("- " * 100_000, "nested deeper than"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(500)), "nested deeper than"),
        ("a: &x [*x]\n", "an alias that contains itself"),
    ],
)
def test_hostile_text_is_a_problem_not_a_crash(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert any(message in told for _, told in problems(tmp_path, text))


@pytest.mark.slow
def test_a_thousand_laughs_end_quickly(tmp_path: Path) -> None:
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert any("far too many values" in told for _, told in problems(tmp_path, "\n".join(lines)))


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,\n $\t0", max_size=80))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    with suppress(ConfigError):
        assert load(path, env={}).line(()) >= 0


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_files_of_a_folder_come_by_name(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in files(tmp_path)] == ["a.yml", "b.yaml"]
    assert list(files(tmp_path / "nowhere")) == []


class Shape(Strict):
    """A shape to parse."""

    name: str
    size: int = 0


def test_a_shape_takes_no_conversion_and_no_stranger(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("name: 5\nsize: big\ncolour: red\n")
    with pytest.raises(ConfigError) as error:
        load(path).parse(Shape)
    assert [(problem.line, problem.path, problem.message) for problem in error.value.problems] == [
        (1, "name", "Input should be a valid string (it is 5)"),
        (2, "size", "Input should be a valid integer (it is 'big')"),
        (3, "colour", "unknown key"),
    ]
    path.write_text("")
    with pytest.raises(ConfigError, match="name: is missing"):
        load(path).parse(Shape)


def test_the_limit_of_depth_is_far_above_any_real_file() -> None:
    assert MAX_DEPTH >= 32
