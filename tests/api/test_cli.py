"""The account commands on a real records file, as an administrator types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import token_app, user_app
from tests.api.site import starter

runner = CliRunner()
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(starter(tmp_path / "site"))


def add(folder: str, name: str, *options: str, password: str = "lamp-oak-river") -> None:
    done = runner.invoke(user_app, ["add", folder, name, "--password-stdin", *options], input=password + "\n")
    assert done.exit_code == 0, done.output


def test_people_are_added_listed_and_disabled(folder: str) -> None:
    add(folder, "alice", "--role", "admin", "--language", "en")
    add(folder, "王强", "--role", "crew")
    assert runner.invoke(user_app, ["disable", folder, "王强"]).exit_code == 0
    shown = runner.invoke(user_app, ["list", folder]).output.splitlines()
    assert [line.split() for line in shown] == [["alice", "admin", "en"], ["王强", "crew", "zh", "disabled"]]


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (["bob"], "short", "characters"),
        (["bob", "--language", "fr"], "lamp-oak-river", "the language is zh or en"),
        (["alice"], "lamp-oak-river", "there already"),
    ],
)
def test_what_is_wrong_is_said(folder: str, arguments: list[str], password: str, words: str) -> None:
    add(folder, "alice")
    done = runner.invoke(user_app, ["add", folder, *arguments, "--password-stdin"], input=password + "\n")
    assert done.exit_code != 0
    assert words in done.output


def test_a_token_is_shown_once_and_can_be_revoked(folder: str) -> None:
    add(folder, "grafana")
    token = runner.invoke(token_app, ["add", folder, "grafana", "--name", "boards", "--days", "30"]).output.strip()
    assert token.startswith("ck_")
    shown = runner.invoke(token_app, ["list", folder]).output
    assert token not in shown
    assert "good" in shown
    number = shown.split()[0]
    assert runner.invoke(token_app, ["revoke", folder, number]).exit_code == 0
    assert "revoked" in runner.invoke(token_app, ["list", folder]).output
    again = runner.invoke(token_app, ["revoke", folder, number])
    assert again.exit_code == 1
    assert "no token" in again.output


def test_a_token_needs_its_user(folder: str) -> None:
    done = runner.invoke(token_app, ["add", folder, "nobody", "--name", "boards"])
    assert done.exit_code != 0
    assert "no user" in done.output
