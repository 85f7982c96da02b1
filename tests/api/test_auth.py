"""Passwords, tokens, and the brake on guessing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth import LoginBrake, Passwords, new_token, token_hash

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2"])
NAMES = st.sampled_from(["admin", "wang", ""])


def test_tokens_are_long_random_and_kept_as_a_digest() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert token.startswith("ck_")
        assert len(token) >= 3 + 43
        assert token not in token_hash(token)
        assert len(token_hash(token)) == 64


@pytest.mark.slow
async def test_a_password_is_known_again_and_no_other() -> None:
    passwords = Passwords()
    stored = passwords.hash_now("long enough")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "long enough")
    assert not await passwords.verify(stored, "long enougH")
    assert not await passwords.verify(None, "long enough")
    assert not await passwords.verify("no hash at all", "long enough")
    assert not await passwords.verify(stored, "x" * 100_000)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_has_bounds(password: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        Passwords().hash_now(password)


def test_five_tries_then_one_each_twelve_seconds() -> None:
    brake = LoginBrake()
    assert [brake.wait("wang", "a", 0.0) for _ in range(5)] == [0.0] * 5
    assert brake.wait("wang", "a", 0.0) == pytest.approx(12.0)
    assert brake.wait("li", "a", 0.0) == 0.0
    assert brake.wait("wang", "b", 0.0) == 0.0
    assert brake.wait("wang", "a", 11.9) > 0
    assert brake.wait("wang", "a", 12.1) == 0.0


def test_many_names_from_one_address_are_slowed_too() -> None:
    brake = LoginBrake()
    tries = sum(brake.wait(f"user{number}", "a", 0.0) == 0.0 for number in range(1000))
    assert tries == 30


def test_a_right_password_costs_no_try() -> None:
    brake = LoginBrake()
    for _ in range(50):
        assert brake.wait("wang", "a", 0.0) == 0.0
        brake.forgive("wang", "a")


@given(st.lists(st.tuples(NAMES, ADDRESSES, st.floats(0, 30)), max_size=60))
def test_nobody_tries_more_often_than_the_rate(tries: list[tuple[str, str, float]]) -> None:
    brake = LoginBrake()
    at, done = 0.0, {}
    for name, address, pause in tries:
        at += pause
        if brake.wait(name, address, at) == 0.0:
            done[name, address] = done.get((name, address), 0) + 1
    for count in done.values():
        assert count <= 5 + at / 12 + 1e-6


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60))
def test_its_memory_is_bounded(tries: list[tuple[int, int]]) -> None:
    brake = LoginBrake(size=16)
    for name, address in tries:
        brake.wait(f"user{name}", f"10.0.0.{address}", 0.0)
        assert len(brake) <= 17
