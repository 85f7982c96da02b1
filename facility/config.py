"""Read a site folder into a Site; every problem of every file is reported at once, with file, line and path."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field

from facility.assets import GATEWAY_CLASS, ID, Asset, Device, Location
from facility.catalog import Catalog, read_catalog
from facility.classfile import Labels
from facility.errors import ConfigError, Problem
from facility.points import Label, Profile
from facility.settings import ChannelSettings, RouteSettings, Settings, weak_secrets
from facility.yamlfile import Document, M, Strict, load

T = TypeVar("T")
_ID = r"^[A-Za-z0-9_-]{1,64}$"


@dataclass(frozen=True, slots=True)
class Site:
    """A whole site as its folder describes it. `folder` is where relative paths start."""

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


class _Device(Strict):
    id: str
    profile: str
    asset: str
    gateway: str = ""
    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=502, ge=1, le=65_535)
    unit: int = Field(default=1, ge=0, le=255)
    params: dict[str, str] = {}
    points: list[str] = []
    rename: dict[str, str] = {}
    speedup: float = Field(default=1.0, gt=0, le=100)


class _DevicesFile(Strict):
    devices: list[_Device] = []


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
    devices_doc, devices_file = reader.read("devices.yaml", _DevicesFile)
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
        problems += _check_devices(devices_doc, devices_file, catalog, assets=assets, gateways=gateways, broken=broken)
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


def _site(folder: Path, site: _SiteFile, assets: _AssetsFile, devices: _DevicesFile, people: _PeopleFile) -> Site:
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
        devices=tuple(_device(item, site.gateways[0]) for item in devices.devices),
        settings=settings,
        channels=tuple(people.channels),
        routes=tuple(people.routes),
    )


def _assets(file: _AssetsFile, gateways: Sequence[str]) -> dict[str, Asset]:
    """The listed assets, then an asset for each gateway that has no entry of its own."""
    listed = {item.id: _asset(item) for item in file.assets}
    implicit = {name: Asset(name, GATEWAY_CLASS, Label(f"网关 {name}", f"Gateway {name}")) for name in gateways}
    return listed | {name: asset for name, asset in implicit.items() if name not in listed}


def _asset(item: _Asset) -> Asset:
    label = item.labels.label()
    return Asset(item.id, item.class_, label, item.location, item.rated, item.ledger, tuple(item.parents))


def _device(item: _Device, gateway: str) -> Device:
    return Device(
        id=item.id,
        gateway=item.gateway or gateway,
        profile=item.profile,
        asset=item.asset,
        host=item.host,
        port=item.port,
        unit=item.unit,
        params=item.params,
        points=frozenset(item.points),
        rename=item.rename,
        speedup=item.speedup,
    )


def _ids(document: Document, place: str, ids: Sequence[str]) -> Iterator[Problem]:
    """Malformed and repeated ids of a list."""
    seen: dict[str, int] = {}
    for number, name in enumerate(ids):
        where = (place, number, "id") if (place, number, "id") in document.lines else (place, number)
        if not ID.fullmatch(name):
            yield document.problem(where, f"{name!r} is no id: letters, digits, _ and -, at most 64")
        if name in seen:
            yield document.problem(where, f"the id {name!r} is already taken on line {seen[name]}")
        seen.setdefault(name, document.line(where))


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
    yield from _ids(document, "gateways", site.gateways)
    yield from _ids(document, "locations", [location.id for location in site.locations])
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
    for place, why in weak_secrets(site):
        yield document.problem(tuple(place.split(".")), why)


def _check_assets(
    document: Document, assets: _AssetsFile, catalog: Catalog, places: set[str] | None, *, broken: set[str]
) -> Iterator[Problem]:
    """`broken` are the names of class and profile files that are wrong themselves: nobody is blamed for using them."""
    ids = [asset.id for asset in assets.assets]
    yield from _ids(document, "assets", ids)
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


def _check_devices(
    document: Document,
    devices: _DevicesFile,
    catalog: Catalog,
    *,
    assets: Mapping[str, str] | None,
    gateways: Sequence[str] | None,
    broken: set[str],
) -> Iterator[Problem]:
    yield from _ids(document, "devices", [device.id for device in devices.devices])
    taken: dict[tuple[str, str], str] = {}
    for number, device in enumerate(devices.devices):
        place = ("devices", number)
        if device.gateway and gateways is not None and device.gateway not in gateways:
            yield document.problem((*place, "gateway"), f"there is no gateway {device.gateway!r} in site.yaml")
        if assets is not None and device.asset not in assets:
            yield document.problem((*place, "asset"), f"there is no asset {device.asset!r} in assets.yaml")
        profile = catalog.profiles.get(device.profile)
        if profile is None:
            known = ", ".join(sorted(catalog.profiles))
            if device.profile not in broken:
                yield document.problem((*place, "profile"), f"there is no profile {device.profile!r}; known: {known}")
            continue
        asset_class = assets.get(device.asset) if assets else None
        if asset_class in catalog.classes and asset_class != profile.asset_class:
            yield document.problem(
                (*place, "asset"), f"{device.asset} is of class {asset_class}, the profile is for {profile.asset_class}"
            )
        for name in profile.params:
            if name not in device.params:
                yield document.problem((*place, "params"), f"the profile {profile.id} needs the param {name!r}")
        for problem in _check_points(device, profile, catalog, taken):
            yield document.problem(place, problem)


def _check_points(
    device: _Device, profile: Profile, catalog: Catalog, taken: dict[tuple[str, str], str]
) -> Iterator[str]:
    """What is wrong with the points a device narrows or renames; `taken` gathers who reads what."""
    indexed = [key for key in profile.points if "[n]" in key]
    unknown = {
        key
        for key in (set(device.points) | set(device.rename)) - set(profile.points)
        if not any(re.sub(r"\[\d+\]", "[n]", key) == template for template in indexed)
    }
    for key in sorted(unknown):
        yield f"the profile {profile.id} has no point {key!r}"
    wanted = set(device.points or profile.points) - unknown
    for key in sorted({device.rename.get(key, key) for key in wanted}):
        if "[n]" not in key and catalog.point(profile.asset_class, key) is None:
            yield f"the class {profile.asset_class} has no point {key!r}"
        if (device.asset, key) in taken:
            yield f"{device.asset} {key} is already read from device {taken[device.asset, key]}"
        taken[device.asset, key] = device.id


def _check_people(document: Document, people: _PeopleFile, catalog: Catalog) -> Iterator[Problem]:
    ids = [channel.id for channel in people.channels]
    yield from _ids(document, "channels", ids)
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
        "devices.yaml": _DevicesFile,
        "people.yaml": _PeopleFile,
    }
    return {name: model.model_json_schema() for name, model in models.items()}
