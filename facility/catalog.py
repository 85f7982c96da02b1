"""The catalog: every asset class and device profile, the shipped ones and the site's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from facility.classfile import AssetClass, read_class
from facility.derivedfile import FILE, Derived, read_derived, with_derived
from facility.errors import ConfigError, Problem
from facility.points import Point, Profile
from facility.profilefile import read_profile
from facility.yamlfile import Document, files, load

SHIPPED = Path(__file__).parent
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Classes and profiles by id; `derived` are the points among those of the classes that are worked out."""

    classes: Mapping[str, AssetClass]
    profiles: Mapping[str, Profile]
    derived: tuple[Derived, ...] = ()

    def point(self, asset_class: str, key: str) -> Point | None:
        """A concrete point of a class, or None when either is unknown."""
        found = self.classes.get(asset_class)
        return found.point(key) if found else None


def load_catalog(folder: Path | None = None) -> Catalog:
    """The shipped catalog and, with `folder`, the site's own `classes/` and `profiles/`.

    Every problem comes in one ConfigError.
    An own class or profile with a shipped id takes its place.
    """
    catalog, problems = read_catalog(folder)
    if problems:
        raise ConfigError(problems)
    return catalog


def read_catalog(folder: Path | None = None) -> tuple[Catalog, list[Problem]]:
    """The same catalog without the files that are wrong, and their problems: a check goes on to tell the others."""
    if folder is None:
        return _shipped(), []
    own = any(any(files(folder / kind)) for kind in ("classes", "profiles"))
    catalog, problems = _load([SHIPPED, folder]) if own else (_shipped(), [])
    if (folder / FILE).exists():
        catalog = _derived(folder / FILE, catalog, problems)
    return catalog, problems


def _derived(path: Path, catalog: Catalog, problems: list[Problem]) -> Catalog:
    try:
        document = load(path)
    except ConfigError as error:
        problems += error.problems
        return catalog
    derived = read_derived(document, catalog.classes, problems)
    return Catalog(with_derived(catalog.classes, derived), catalog.profiles, derived)


@lru_cache(maxsize=1)
def _shipped() -> Catalog:
    catalog, problems = _load([SHIPPED])
    if problems:
        raise ConfigError(problems)
    return catalog


def _load(folders: Sequence[Path]) -> tuple[Catalog, list[Problem]]:
    problems: list[Problem] = []
    classes = _read(folders, "classes", problems, read_class, lambda item: item.id)
    profiles = _read(
        folders, "profiles", problems, lambda document: read_profile(document, classes), lambda item: item.id
    )
    return Catalog(classes, profiles), problems


def _read(
    folders: Iterable[Path],
    kind: str,
    problems: list[Problem],
    read: Callable[[Document], T],
    name: Callable[[T], str],
) -> dict[str, T]:
    found: dict[str, T] = {}
    for folder in folders:
        here: set[str] = set()
        for path in files(folder / kind):
            try:
                item = read(load(path))
            except ConfigError as error:
                problems += error.problems
                continue
            if name(item) in here:
                problems.append(Problem(str(path), 1, kind, f"the id {name(item)!r} is already taken in this folder"))
            here.add(name(item))
            found[name(item)] = item
    return found
