"""A whole site as its folder describes it: everything that `caretaker check` looks at, read in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facility.catalog import Catalog, read_catalog
from facility.config import Site, load_site
from facility.errors import ConfigError, Problem
from facility.yamlfile import files
from gateway.check import check as check_cycles
from rules.book.compiled import Rulebook
from rules.book.data.checkfile import read_checks
from rules.book.rulebook import PACKS, load_rulebook, read_rules

_FOLDERS = (".", "classes", "profiles", "rules", "linkage")
Stamp = Mapping[Path, tuple[int, int]]
"""File -> (instant of its last change, bytes)."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A site that has no problems."""

    site: Site
    catalog: Catalog
    rulebook: Rulebook


def load_whole(folder: Path) -> Whole:
    """The site with its rules; ConfigError with every problem of every file."""
    try:
        site, catalog = load_site(folder)
        rulebook = load_rulebook(site, catalog)
    except ConfigError as error:
        raise ConfigError(list({*error.problems, *_rule_problems(folder)})) from error
    slow = [Problem(str(folder / "devices.yaml"), 0, "", text) for text in check_cycles(site, catalog)]
    if slow:
        raise ConfigError(slow)
    return Whole(site, catalog, rulebook)


def _rule_problems(folder: Path) -> tuple[Problem, ...]:
    """What is wrong with the rules even when the rest of the site is: everything is told at once."""
    catalog, own = read_catalog(folder)[0], folder / "rules"
    problems = read_checks([own], catalog, assets=None)[1]
    try:
        read_rules([PACKS, own], catalog, assets=None)
    except ConfigError as error:
        problems += error.problems
    return tuple(problems)


def stamp(folder: Path) -> Stamp:
    """The files that a site is read from, and when each was changed last."""
    found: dict[Path, tuple[int, int]] = {}
    for name in _FOLDERS:
        for path in files(folder / name):
            try:
                known = path.stat()
            except FileNotFoundError:  # an editor put another in its place just now
                continue
            found[path] = (known.st_mtime_ns, known.st_size)
    return found
