"""The rules over the data itself: one a check and point, at each asset that has the point.

They are ordinary rules with ordinary alarms; `data.stuck_value` and so on. The alarm of each point is one of its own:
the rule's index is a number made from the class and the key of the point, the same for ever. Its text has the numbers
of the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from zlib import crc32

from facility.assets import Asset
from facility.catalog import Catalog
from facility.classfile import AssetClass
from facility.points import Label, Point
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.data.checkfile import Checks, Entry, Often, StuckSpec, seconds
from rules.book.data.checks import Chattering, Check, CounterReset, Noisy, NoValue, Truth, guard_of
from rules.language.expression import INDEXED, Compiled, compile_expression
from rules.language.frame import Frame
from rules.language.logic import ANY, Says
from rules.rule import Raises, Rule, Severity
from rules.versions import stamped

PREFIX = "data."
SAMPLES = 3
"""Events of a noisy signal are looked for over at least so many polls each, for a slow point has few."""


def with_checks(
    book: Rulebook,
    checks: Checks,
    assets: Mapping[str, Asset],
    points: Mapping[str, frozenset[str]],
    catalog: Catalog,
) -> Rulebook:
    """The rulebook with the rules over data behind its own; `points` as `mapped_points` gives them."""
    maker = _Maker(checks)
    by_asset = {
        name: (*items, *maker.rules(assets[name], points.get(name, frozenset()), catalog))
        for name, items in book.by_asset.items()
    }
    return replace(book, by_asset=by_asset)


def number_of(asset_class: str, key: str) -> int:
    """The index of a point's rules; it fits into 31 bits."""
    return crc32(f"{asset_class}/{key}".encode()) & 0x7FFF_FFFF


class _Maker:
    """Makes rules; assets with the same point and the same checks share one."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._made: dict[tuple[str, str, str], list[CompiledRule]] = {}

    def rules(self, asset: Asset, keys: frozenset[str], catalog: Catalog) -> Iterator[CompiledRule]:
        """Those of one asset, in the order of its class."""
        asset_class = catalog.classes[asset.asset_class]
        for key, point in asset_class.points.items():
            if key not in keys:
                continue
            entry = _usable(self._checks.of(point, asset), point, asset_class, keys, asset.rated)
            same = (asset_class.id, key, entry.model_dump_json())
            if same not in self._made:
                self._made[same] = list(self._of_point(asset_class, point, entry))
            yield from self._made[same]

    def _of_point(self, asset_class: AssetClass, point: Point, entry: Entry) -> Iterator[CompiledRule]:
        pushed: dict[str, tuple[Callable[[], Check], dict[str, object]]] = {}
        if entry.no_value:
            pushed["no_value"] = NoValue, {}
        if isinstance(entry.noisy, Often):
            step = entry.noisy.step / 100 * ((point.high or 0.0) - (point.low or 0.0))
            within = max(seconds(entry.noisy.within), SAMPLES * entry.noisy.times * point.interval)
            pushed["noisy"] = (
                partial(Noisy, step, entry.noisy.times, round(within * 1000)),
                {"step": step, "times": entry.noisy.times, "within_s": within},
            )
        if isinstance(entry.chattering, Often):
            within = seconds(entry.chattering.within)
            pushed["chattering"] = (
                partial(Chattering, entry.chattering.times, round(within * 1000)),
                {"times": entry.chattering.times, "within_s": within},
            )
        if entry.counter_reset:
            pushed["counter_reset"] = partial(CounterReset, point.high), {"end": point.high}
        for name, (make, numbers) in pushed.items():
            when = _compiled(
                f"{name}({point.key})", point, partial(_bound, point.key, make, despike=bool(entry.despike))
            )
            rule = self._rule(name, asset_class, point, when.text)
            definition = {"check": name, "point": point.key, "despike": bool(entry.despike), **numbers}
            yield CompiledRule(stamped(rule, definition), when, watched=point.key)
        if isinstance(entry.stuck_value, StuckSpec):
            yield self._stuck(asset_class, point, entry.stuck_value)

    def _stuck(self, asset_class: AssetClass, point: Point, spec: StuckSpec) -> CompiledRule:
        text = " or ".join(f"({one})" for one in spec.while_)
        moved = compile_expression(text, asset_class, index=point.index if INDEXED.search(text) else 0)
        length = round(seconds(spec.for_) * 1000)

        def when(frame: Frame) -> Truth:
            return guard_of(frame, point.key).look_if_stuck(length, frame, moved.bind(frame)).when

        def varied(frame: Frame) -> Truth:
            return guard_of(frame, point.key).varied

        said = f"stuck({point.key}, '{spec.for_}') and ({text})"
        windows = (*moved.windows, ("stuck", length / 1000))
        condition = Compiled(
            said, (point.key, *moved.points), windows, moved.rated, moved.relations, moved.logic, moved.cost, when
        )
        clear = _compiled(f"not stuck({point.key}, '{spec.for_}')", point, varied)
        rule = replace(self._rule("stuck_value", asset_class, point, said), clear=clear.text)
        definition = {"check": "stuck_value", "point": point.key, "for_s": length / 1000, "while": spec.while_}
        return CompiledRule(stamped(rule, definition), condition, clear, guarded=point.key)

    def _rule(self, name: str, asset_class: AssetClass, point: Point, when: str) -> Rule:
        alarm = self._checks.alarms[name]
        if not (alarm.labels and alarm.guidance and alarm.severity):
            raise ValueError(f"the alarm {PREFIX}{name} lacks labels, guidance or severity")
        return Rule(
            id=PREFIX + name,
            asset_class=asset_class.id,
            label=_filled(alarm.labels.label(), point),
            guidance=_filled(alarm.guidance.label(), point),
            severity=Severity(alarm.severity),
            raises=alarm.raises or Raises.NOTHING,
            when=when,
            delay=seconds(alarm.for_ or ""),
            clear_delay=seconds(alarm.clear_for or ""),
            index=number_of(asset_class.id, point.key),
            origin=self._checks.origin[name],
        )


def _usable(
    entry: Entry, point: Point, asset_class: AssetClass, keys: frozenset[str], rated: Mapping[str, float]
) -> Entry:
    """The entry with those witnesses only that the asset has."""
    spec = entry.stuck_value
    if not isinstance(spec, StuckSpec):
        return entry
    have = []
    for text in spec.while_:
        compiled = compile_expression(text, asset_class, index=point.index if INDEXED.search(text) else 0)
        if keys.issuperset(compiled.points) and not set(compiled.rated) - set(rated):
            have.append(text)
    return entry.model_copy(update={"stuck_value": spec.model_copy(update={"while_": have}) if have else None})


def _compiled(text: str, point: Point, bind: Callable[[Frame], Truth]) -> Compiled:
    return Compiled(text, (point.key,), (), (), (), Says(text, ANY, ANY), 1.0, bind)


def _bound(key: str, make: Callable[[], Check], frame: Frame, *, despike: bool) -> Truth:
    guard = guard_of(frame, key)
    if despike:
        guard.despike()
    return guard.add(make())


def _filled(label: Label, point: Point) -> Label:
    return Label(label.zh.replace("{point}", point.label.zh), label.en.replace("{point}", point.label.en))
