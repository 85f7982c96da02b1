"""Read a site folder into a Site; every problem of every file is reported at once, with file, line and path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field

from facility.assets import GATEWAY_CLASS, Asset, Device, Location
from facility.catalog import Catalog, read_catalog
from facility.classfile import Labels
from facility.derivedfile import DerivedFile
from facility.devicefile import DevicesFile, check_devices, devices_of
from facility.errors import ConfigError, Problem
from facility.holidays import read_span
from facility.names import check_ids
from facility.points import Label
from facility.settings import ChannelSettings, RouteSettings, Settings, weak_secrets
from facility.wire import DERIVED
from facility.yamlfile import Document, M, Strict, load

T = TypeVar("T")
_ID = r"^[A-Za-z0-9_-]{1,64}$"


@dataclass(frozen=True, slots=True)
class Site:
    """A whole site as its folder describes it. `folder` is where relative paths start; `holidays` are local days."""

    id: str
    label: Label
    folder: Path
    time_zone: str
    languages: tuple[str, ...]
    gateways: tuple[str, ...]
    locations: Mapping[str, Location]
    assets: Mapping[str, Asset]
    devices: tuple[Device, ...]
    settings: Settings
    channels: tuple[ChannelSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    holidays: frozenset[date] = frozenset()

    def devices_of(self, gateway: str) -> tuple[Device, ...]:
        """The devices that a gateway talks to."""
        return tuple(device for device in self.devices if device.gateway == gateway)

    def path(self, relative: str) -> Path:
        """A path of the settings, made absolute."""
        return self.folder / relative


class _Location(Strict):
    id: str = Field(pattern=_ID)
    labels: Labels
    parent: str = ""


class _SiteFile(Settings):
    site: str = Field(pattern=_ID)
    labels: Labels
    time_zone: str = "Asia/Shanghai"
    holidays: list[str] = Field(
        default=[], max_length=500, description="local dates (2026-01-01) and spans of them (2026-10-01..2026-10-07)"
    )
    languages: list[Literal["zh", "en"]] = Field(default=["zh", "en"], min_length=1)
    gateways: list[str] = Field(min_length=1)
    locations: list[_Location] = []


class _Asset(Strict):
    id: str
    class_: str = Field(alias="class")
    labels: Labels
    location: str = ""
    rated: dict[str, float] = {}
    ledger: dict[str, str] = {}
    parents: list[str] = []


class _AssetsFile(Strict):
    assets: list[_Asset] = Field(min_length=1)


class _PeopleFile(Strict):
    channels: list[ChannelSettings] = []
    routes: list[RouteSettings] = []


def load_site(folder: Path, *, env: Mapping[str, str] | None = None) -> tuple[Site, Catalog]:
    """The site and its catalog; ConfigError with every problem of every file.

    `env` replaces `${NAME}` in the site's files; the process environment by default.
    """
    reader = _FolderReader(folder, os.environ if env is None else env)
    catalog, wrong = read_catalog(folder)
    reader.problems += wrong
    broken = {Path(problem.file).stem for problem in wrong}
    site_doc, site_file = reader.read("site.yaml", _SiteFile)
    assets_doc, assets_file = reader.read("assets.yaml", _AssetsFile)
    devices_doc, devices_file = reader.read("devices.yaml", DevicesFile)
    people_doc, people_file = reader.read("people.yaml", _PeopleFile, optional=True)
    problems = reader.problems
    if site_doc and site_file:
        problems += _check_site(site_doc, site_file)
    if assets_doc and assets_file:
        places = {location.id for location in site_file.locations} if site_file else None
        problems += _check_assets(assets_doc, assets_file, catalog, places, broken=broken)
        problems += _check_gateways(assets_doc, assets_file, site_file.gateways if site_file else None)
    if devices_doc and devices_file:
        gateways = site_file.gateways if site_file else None
        implicit = dict.fromkeys(gateways or (), GATEWAY_CLASS)
        assets = implicit | {asset.id: asset.class_ for asset in assets_file.assets} if assets_file else None
        problems += check_devices(devices_doc, devices_file, catalog, assets=assets, gateways=gateways, broken=broken)
    if people_doc and people_file:
        problems += _check_people(people_doc, people_file, catalog)
    if problems or not (site_file and assets_file and devices_file):
        raise ConfigError(problems)
    return _site(folder, site_file, assets_file, devices_file, people_file or _PeopleFile()), catalog


class _FolderReader:
    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.problems: list[Problem] = []

    def gather(self, read: Callable[[], T]) -> T | None:
        """What `read` gives, or None with its problems kept."""
        try:
            return read()
        except ConfigError as error:
            self.problems += error.problems
            return None

    def read(self, name: str, model: type[M], *, optional: bool = False) -> tuple[Document | None, M | None]:
        """One file of the folder, as a document and as its model."""
        path = self.folder / name
        if optional and not path.exists():
            return None, None
        document = self.gather(lambda: load(path, env=self.env))
        if document is None:
            return None, None
        found, problems = document.read(model)
        self.problems += problems
        return document, found


def _site(folder: Path, site: _SiteFile, assets: _AssetsFile, devices: DevicesFile, people: _PeopleFile) -> Site:
    settings = Settings.model_construct(**{name: getattr(site, name) for name in Settings.model_fields})
    return Site(
        id=site.site,
        label=site.labels.label(),
        folder=folder.resolve(),
        time_zone=site.time_zone,
        languages=tuple(site.languages),
        gateways=tuple(site.gateways),
        locations={item.id: Location(item.id, item.labels.label(), item.parent) for item in site.locations},
        assets=_assets(assets, site.gateways),
        devices=devices_of(devices, site.gateways[0]),
        settings=settings,
        channels=tuple(people.channels),
        routes=tuple(people.routes),
        holidays=frozenset(day for text in site.holidays for day in read_span(text)),
    )


def _assets(file: _AssetsFile, gateways: Sequence[str]) -> dict[str, Asset]:
    """The listed assets, then an asset for each gateway that has no entry of its own."""
    listed = {item.id: _asset(item) for item in file.assets}
    implicit = {name: Asset(name, GATEWAY_CLASS, Label(f"网关 {name}", f"Gateway {name}")) for name in gateways}
    return listed | {name: asset for name, asset in implicit.items() if name not in listed}


def _asset(item: _Asset) -> Asset:
    label = item.labels.label()
    return Asset(item.id, item.class_, label, item.location, item.rated, item.ledger, tuple(item.parents))


def _is_own_ancestor(name: str, parents: Mapping[str, Sequence[str]]) -> bool:
    """Whether the way up from `name` leads back to it."""
    seen: set[str] = set()
    ahead = list(parents.get(name, ()))
    while ahead:
        above = ahead.pop()
        if above == name:
            return True
        if above not in seen:
            seen.add(above)
            ahead += parents.get(above, ())
    return False


def _check_site(document: Document, site: _SiteFile) -> Iterator[Problem]:
    yield from check_ids(document, "gateways", site.gateways)
    yield from check_ids(document, "locations", [location.id for location in site.locations])
    if DERIVED in site.gateways:
        yield document.problem(("gateways",), f"{DERIVED!r} is taken: derived points are told under it")
    known = {location.id for location in site.locations}
    for number, location in enumerate(site.locations):
        if location.parent and location.parent not in known:
            yield document.problem(("locations", number, "parent"), f"there is no location {location.parent!r}")
    around = {location.id: [location.parent] for location in site.locations if location.parent}
    for number, location in enumerate(site.locations):
        if _is_own_ancestor(location.id, around):
            yield document.problem(("locations", number, "parent"), f"{location.id} lies inside itself")
    try:
        ZoneInfo(site.time_zone)
    except (KeyError, ValueError, OSError):
        yield document.problem(("time_zone",), f"{site.time_zone!r} is no time zone, such as Asia/Shanghai")
    for number, text in enumerate(site.holidays):
        try:
            read_span(text)
        except ValueError as error:
            yield document.problem(("holidays", number), str(error), offset=0)
    for place, why in weak_secrets(site):
        yield document.problem(tuple(place.split(".")), why)


def _check_assets(
    document: Document, assets: _AssetsFile, catalog: Catalog, places: set[str] | None, *, broken: set[str]
) -> Iterator[Problem]:
    """`broken` are the names of class and profile files that are wrong themselves: nobody is blamed for using them."""
    ids = [asset.id for asset in assets.assets]
    yield from check_ids(document, "assets", ids)
    parents = {asset.id: asset.parents for asset in assets.assets}
    for number, asset in enumerate(assets.assets):
        place = ("assets", number)
        if asset.class_ not in catalog.classes and asset.class_ not in broken:
            known = ", ".join(sorted(catalog.classes))
            yield document.problem((*place, "class"), f"there is no asset class {asset.class_!r}; known: {known}")
        if asset.location and places is not None and asset.location not in places:
            yield document.problem((*place, "location"), f"there is no location {asset.location!r} in site.yaml")
        for parent in asset.parents:
            if parent not in ids or parent == asset.id:
                yield document.problem((*place, "parents"), f"there is no other asset {parent!r}")
        if asset.id not in asset.parents and _is_own_ancestor(asset.id, parents):
            yield document.problem((*place, "parents"), f"{asset.id} comes round to itself through its parents")


def _check_gateways(document: Document, assets: _AssetsFile, gateways: Sequence[str] | None) -> Iterator[Problem]:
    """A gateway is an asset itself: an entry with its id describes it, and is of its class."""
    if gateways is None:
        return
    for number, asset in enumerate(assets.assets):
        place = ("assets", number)
        if asset.id in gateways and asset.class_ != GATEWAY_CLASS:
            yield document.problem((*place, "id"), f"{asset.id!r} is a gateway in site.yaml; name the asset otherwise")
        elif asset.class_ == GATEWAY_CLASS and asset.id not in gateways:
            yield document.problem((*place, "id"), f"there is no gateway {asset.id!r} in site.yaml")


def _check_people(document: Document, people: _PeopleFile, catalog: Catalog) -> Iterator[Problem]:
    ids = [channel.id for channel in people.channels]
    yield from check_ids(document, "channels", ids)
    for number, route in enumerate(people.routes):
        for channel in route.to:
            if channel not in ids:
                yield document.problem(("routes", number, "to"), f"there is no channel {channel!r}")
        for severity in route.severities:
            if severity not in (1, 2, 3, 4):
                yield document.problem(("routes", number, "severities"), f"{severity} is none of 1, 2, 3, 4")
        for name in route.classes:
            if name not in catalog.classes:
                yield document.problem(("routes", number, "classes"), f"there is no asset class {name!r}")


def schema() -> dict[str, object]:
    """The JSON Schemas of the files of a site folder, by file name."""
    models: Mapping[str, type[Strict]] = {
        "site.yaml": _SiteFile,
        "assets.yaml": _AssetsFile,
        "devices.yaml": DevicesFile,
        "people.yaml": _PeopleFile,
        "derived.yaml": DerivedFile,
    }
    return {name: model.model_json_schema() for name, model in models.items()}
