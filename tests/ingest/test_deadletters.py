"""The dead-letter box: what it keeps, how it stays bounded, and that others can read it meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from facility.errors import StoreError
from ingest.deadletters import MAX_PAYLOAD, DeadLetters
from ingest.letters import NewLetter

TOPIC = "fm/v1/tower/gw-1/readings"


def a_letter(number: int = 1, payload: bytes = b"{", *, kind: str = "payload", key: str = "") -> NewLetter:
    return NewLetter(kind, 1000 + number, TOPIC, f"reason {number}", payload, key)


def test_letters_come_back_newest_first_page_by_page() -> None:
    box = DeadLetters(":memory:")
    box.add_many(a_letter(number, b"%d" % number) for number in range(5))
    first = box.list(limit=2)
    assert [letter.payload for letter in first] == [b"4", b"3"]
    assert [letter.payload for letter in box.list(limit=9, after=first[-1].id)] == [b"2", b"1", b"0"]
    assert first[0].reason == "reason 4"
    assert (first[0].at, first[0].topic, first[0].kind, first[0].seen) == (1004, TOPIC, "payload", 1)
    box.close()


def test_the_same_letter_again_is_counted_and_not_kept_twice() -> None:
    box = DeadLetters(":memory:")
    for number in (1, 3, 2):
        box.add(a_letter(number))
    box.add(a_letter(4, key="b1/7"))
    assert [(letter.seen, letter.at) for letter in box.list()] == [(1, 1004), (3, 1003)]
    assert box.counts() == {"payload": 4, "reading": 0, "dropped": 0, "letters": 2, "bytes": 18}
    box.close()


def test_past_its_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    box = DeadLetters(tmp_path / "box.sqlite", limit=1000)
    box.add_many(a_letter(number, b"%03d" % number + bytes(200)) for number in range(10))
    counts = box.counts()
    assert counts["bytes"] <= 1000
    assert counts["dropped"] == 10 - counts["letters"]
    assert [letter.payload[:3] for letter in box.list()] == [b"009", b"008", b"007", b"006"]
    box.close()
    again = DeadLetters(tmp_path / "box.sqlite", limit=1000)
    assert again.counts() == counts
    again.close()


def test_a_long_payload_is_cut_and_its_length_is_told() -> None:
    box = DeadLetters(":memory:")
    box.add(a_letter(1, b"x" * (MAX_PAYLOAD + 5)))
    (letter,) = box.list()
    assert (len(letter.payload), letter.size) == (MAX_PAYLOAD, MAX_PAYLOAD + 5)
    box.close()


def test_a_file_that_is_no_box_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "box.sqlite"
    path.write_bytes(b"this is a text, not a database" * 50)
    with pytest.raises(StoreError, match=r"box\.sqlite"):
        DeadLetters(path)


def test_all_letters_of_one_call_are_kept_or_none(tmp_path: Path) -> None:
    box = DeadLetters(tmp_path / "box.sqlite")
    with sqlite3.connect(tmp_path / "box.sqlite") as other:
        other.execute(
            "CREATE TRIGGER full AFTER INSERT ON letters WHEN NEW.kind = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    other.close()
    with pytest.raises(StoreError, match="disk full"):
        box.add_many([a_letter(1), a_letter(2, kind="bad")])
    assert box.counts()["letters"] == 0
    assert box.counts()["bytes"] == 0
    box.add(a_letter(1))
    assert box.counts()["letters"] == 1
    box.close()


@pytest.mark.slow
def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "box.sqlite"
    box = DeadLetters(path)
    box.add(a_letter(1))
    code = "import sys; from ingest.deadletters import DeadLetters; sys.exit(len(DeadLetters(sys.argv[1]).list()) + 40)"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 41
    box.add(a_letter(2, b"y"))
    assert box.counts()["letters"] == 2
    box.close()
