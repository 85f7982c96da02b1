"""All models of a site and what joins them: the common supply, and the fire panel's effect on lifts and doors; pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import Fault, On, Subject
from facility.readings import Value
from simulators.faultfile import repertoire
from simulators.making import Maker
from simulators.measured import scales, shown_points
from simulators.models.fire.fire_linkage import DOORS, HYDRANT, LIFTS
from simulators.models.fire.fire_panel import FirePanel
from simulators.models.model import Model
from simulators.models.passage.access_control import AccessController
from simulators.models.passage.elevator import Elevator
from simulators.models.power.feed import motors_run
from simulators.models.sensors import Sensors
from simulators.models.water.fire_water_set import FireWater
from simulators.scenario import Action, check_point

QUANTUM = 0.1
"""Seconds of the one step that all models take together. Time comes in any portions; the steps are always the same, so
that the same seed gives the same readings however time was portioned."""
FINE = 30.0
"""Seconds that are played at most in one go; what is longer is leapt over first."""

Attempt = Callable[[str, Callable[[], None]], None]
"""(asset, what its model is to do): does it, or looks after what comes of it."""


def _plainly(_asset: str, act: Callable[[], None]) -> None:
    act()


class Building:
    """The hardware of a site: one model per asset whose class has one.

    It is the stage for faults of assets and of points, and for acts. `attempt` is how each model is made to go on and
    to show its values; whoever runs it may put in one that survives a model that raises. Such a model shows what it
    showed last.
    """

    def __init__(
        self, site: Site, catalog: Catalog, *, seed: int = 1, epoch: float = 0.0, quantum: float = QUANTUM
    ) -> None:
        self._site, self._seed, self._quantum, self._owed = site, seed, quantum, 0.0
        maker = Maker(site, catalog, seed=seed, epoch=epoch)
        self.supply = maker.network.supply
        made = {asset.id: model for asset in site.assets.values() if (model := maker.model(asset))}
        self.models: dict[str, Model] = dict(sorted(made.items(), key=lambda item: self._depth(item[0]), reverse=True))
        self.attempt: Attempt = _plainly
        self._shown: dict[str, dict[str, Value]] = {asset: {} for asset in self.models}
        shown = shown_points(site, catalog, {asset: model.values() for asset, model in self.models.items()})
        self._points = {asset: {key: point.kind for key, point in points.items()} for asset, points in shown.items()}
        self._scales = scales(site, catalog, shown)
        self._sensors = Sensors(self._scales)
        self._lifts = [model for model in self.models.values() if isinstance(model, Elevator)]
        self._panels = [model for model in self.models.values() if isinstance(model, FirePanel)]
        self._fire_water = [model for model in self.models.values() if isinstance(model, FireWater)]
        self._doors = [model for model in self.models.values() if isinstance(model, AccessController)]
        self._fed = [
            (model, maker.network.inlet(site.assets[name]))
            for name, model in self.models.items()
            if site.assets[name].asset_class != "power"
        ]

    def subjects(self) -> dict[tuple[On, str], Subject]:
        """Every simulated asset with what can be done to it and to its points."""
        of_points = repertoire().faults_of(On.POINT)
        found = {}
        for name, model in self.models.items():
            owner = self._site.assets[name].asset_class
            faults = {key: fault for key, fault in repertoire().faults_of(owner).items() if key in model.faults}
            acts = {key: act for key, act in repertoire().acts_of(owner).items() if key in model.acts}
            points, unseen = self._points[name], self._unseen(name)
            found[On.ASSET, name] = Subject(On.ASSET, name, {**of_points, **faults}, acts, points, unseen)
        return found

    def go(self, dt: float) -> None:
        """Go on by `dt` seconds: the last FINE seconds played, what is more leapt over."""
        if dt > FINE:
            self.leap(dt - FINE)
            dt = FINE
        self.step(dt)

    def step(self, dt: float) -> None:
        """Go on by `dt` seconds, all models together, in equal steps; what is too short for one is owed."""
        self._owed += dt
        while self._owed >= self._quantum - 1e-6:
            self._owed -= self._quantum
            self.supply.step(self._quantum)
            self._join()
            for asset, model in self.models.items():
                self.attempt(asset, partial(model.step, self._quantum))
            self._sensors.step(self._quantum)

    def leap(self, dt: float) -> None:
        """Let `dt` seconds go by unwatched: what drifts goes on."""
        self.supply.leap(dt)
        self._join()
        for asset, model in self.models.items():
            self.attempt(asset, partial(model.leap, dt))
        self._sensors.step(dt)

    def set_epoch(self, epoch: float) -> None:
        """Set every device's clock (s since 1970)."""
        for model in self.models.values():
            model.epoch = epoch

    def values(self) -> dict[str, dict[str, Value]]:
        """Asset -> canonical values as its sensors show them."""
        return {asset: self.values_of(asset) for asset in self.models}

    def values_of(self, asset: str) -> dict[str, Value]:
        """The canonical values of one asset as its sensors show them."""
        self.attempt(asset, partial(self._show, asset))
        return self._shown[asset]

    def begin(self, action: Action) -> None:
        """A fault begins; ValueError for an unknown asset, point or fault."""
        if action.on is On.POINT:
            self._disturb(action)
        else:
            self.inject(action.subject, action.name, **action.params)

    def act(self, action: Action) -> None:
        """Somebody does something; ValueError for an unknown asset or act."""
        self._known(action.subject).act(action.name, **action.params)

    def end(self, action: Action) -> None:
        """A fault ends; ValueError for an unknown asset, point or fault."""
        model = self._known(action.subject)
        if action.on is On.POINT:
            fault = self._fault_of_point(action)
            self._sensors.end((action.subject, action.point), fault.name)
        else:
            model.end(action.name)

    def inject(self, asset: str, fault: str, **params: float) -> None:
        """Begin a fault of an asset; ValueError for an unknown asset or fault."""
        self._known(asset).inject(fault, **params)

    def command(self, asset: str, point: str, value: Value) -> None:
        """Somebody sets a point of an asset from afar; ValueError for an asset or point that does not obey."""
        self._known(asset).obey(point, value)

    def _show(self, asset: str) -> None:
        self._shown[asset] = self._sensors.show(asset, self.models[asset].values())

    def _disturb(self, action: Action) -> None:
        """A fault of one point begins."""
        asset, point = action.subject, action.point
        self._known(asset)
        fault = self._fault_of_point(action)
        random = Random(f"{self._seed}/{asset}/{point}/{fault.name}")
        shown = self.values_of(asset)[point]
        self._sensors.begin((asset, point), fault.name, fault.filled(action.params), shown=shown, random=random)

    def _fault_of_point(self, action: Action) -> Fault:
        """The fault that befalls the point; ValueError when there is none such."""
        known = repertoire().faults_of(On.POINT)
        if action.name not in known:
            raise ValueError(f"no fault {action.name!r} of a point; known: {', '.join(sorted(known))}")
        name, fault = action.subject, known[action.name]
        subject = Subject(On.ASSET, name, known, points=self._points[name], unseen=self._unseen(name))
        for problem in check_point(fault, action.point, subject):
            raise ValueError(problem)
        return fault

    def _unseen(self, asset: str) -> dict[str, frozenset[str]]:
        """Fault -> points of the asset on which nobody could see it."""
        scales = {key: scale for (whose, key), scale in self._scales.items() if whose == asset}
        return {"open_loop": frozenset(key for key, scale in scales.items() if not scale.can_be_open)}

    def _known(self, asset: str) -> Model:
        if asset not in self.models:
            raise ValueError(f"no simulated asset {asset!r}; known: {', '.join(sorted(self.models))}")
        return self.models[asset]

    def _join(self) -> None:
        """What one installation feels of another."""
        for number, lift in enumerate(self._lifts):
            lift.fire = any(panel.tells(LIFTS, number) for panel in self._panels)
        for number, controller in enumerate(self._doors):
            controller.fire = any(panel.tells(DOORS, number) for panel in self._panels)
        for model, source in self._fed:
            volts = source.volts
            model.powered = motors_run(volts)
            if isinstance(model, FirePanel):
                model.mains = volts[0]
        for water in self._fire_water:
            water.fire = any(panel.tells(HYDRANT, 0) for panel in self._panels)
        for panel in self._panels:
            panel.reported[LIFTS] = [lift.home for lift in self._lifts]
            panel.reported[DOORS] = [controller.released for controller in self._doors]

    def _depth(self, asset: str, below: frozenset[str] = frozenset()) -> int:
        """How many assets stand above one; a meter is stepped after the meters that it feeds."""
        below |= {asset}
        above = [parent for parent in self._site.assets[asset].parents if parent not in below]
        return 1 + max((self._depth(parent, below) for parent in above), default=0)
