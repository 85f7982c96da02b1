"""The book of overrides: what is written is read, damage is put aside, memory is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facility.points import Table
from facility.wire import Command, CommandStep
from gateway import kept_file
from gateway.override_book import REMEMBERED, Override, OverrideBook, open_overrides
from tests.gateway.plant import a_device, a_site

NOW = 1_700_000_000_000


def an_entry(name: str = "c1", *, step: str = "held") -> Override:
    command = Command(name, "A", "p", True, "ann", NOW, NOW + 1000, ttl=5.0, reason="test")
    return Override(command, step, Table.COIL, 3, [0], False, NOW + 5000)


def a_step(name: str, at: int = NOW) -> CommandStep:
    return CommandStep(name, "A", "p", "done", at, True, "", final=True)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    book = OverrideBook(tmp_path / "data" / "gw.json")
    book.open()
    book.put(an_entry())
    book.tell(a_step("c1"), NOW + 1000)
    book.tell(a_step("old"), NOW - 1)
    assert book.write(book.dump(NOW))
    again = OverrideBook(tmp_path / "data" / "gw.json")
    again.open()
    assert list(again) == [an_entry()]
    assert again.standing("A", "p") == an_entry()
    assert again.standing("A", "p", without="c1") is None
    assert again.standing("A", "q") is None
    assert again.told("c1") == a_step("c1")
    assert again.told("old") is None
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["gw.json"]


def test_a_crash_while_writing_leaves_the_file_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = OverrideBook(tmp_path / "gw.json")
    book.put(an_entry())
    assert book.write(book.dump(NOW))
    book.drop(an_entry())

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not book.write(book.dump(NOW))
    assert "No space left on device" in book.problem
    again = OverrideBook(tmp_path / "gw.json")
    again.open()
    assert list(again) == [an_entry()]
    monkeypatch.undo()
    assert book.write(book.dump(NOW))
    assert book.problem == ""


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b'{"overrides": 3}', b'{"overrides": [{"command": {}}]}'])
def test_damage_is_put_aside(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "gw.json").write_bytes(data)
    book = OverrideBook(tmp_path / "gw.json")
    book.open()
    assert list(book) == []
    assert "is kept as gw.json.damaged1" in book.problem
    assert (tmp_path / "gw.json.damaged1").read_bytes() == data


def test_a_file_that_is_far_too_long_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_file, "MAX_FILE", 10)
    (tmp_path / "gw.json").write_bytes(b" " * 11)
    book = OverrideBook(tmp_path / "gw.json")
    book.open()
    assert "more than 10 bytes" in book.problem


def test_memory_is_bounded_and_what_stands_is_kept() -> None:
    book = OverrideBook()
    book.put(an_entry("c0"))
    for number in range(REMEMBERED + 200):
        book.tell(a_step(f"c{number}"), NOW - 1 if number == 150 else NOW + 1000)
    assert len(book.steps()) == REMEMBERED
    assert book.told("c0") is not None
    assert book.told("c150") is None
    assert book.told("c1") is None
    assert book.told(f"c{REMEMBERED + 199}") is not None


def test_where_a_site_keeps_it(tmp_path: Path) -> None:
    book = open_overrides(a_site(a_device(), folder=tmp_path), "gw")
    assert book.path == tmp_path / "data" / "overrides" / "gw.json"
    assert book.write(book.dump(NOW))
    assert book.path.exists()
