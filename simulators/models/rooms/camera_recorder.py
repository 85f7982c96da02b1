"""The video recorder model: cameras whose bitrate follows what they see, and disks that hold so many days; pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited
from simulators.models.rooms.outdoors import cells, occupancy

FPS = 25.0
MEAN_OCCUPANCY = 11.5 / 24
"""Of a whole day, as `outdoors.occupancy` makes it."""
DAY = 86_400.0

IMAGE = {
    "camera_covered": ("covered", 5.0, 0.15),
    "image_black": ("black", 5.0, 0.10),
    "image_blurred": ("blurred", 10.0, 0.5),
    "image_frozen": ("frozen", 30.0, 0.08),
}
"""Fault -> the flag that the recorder's image check sets, after how many seconds, and the bitrate that is left."""
ABSENT, OK, WARNING, FAILED = 0, 1, 2, 3


def _busy(hour: float) -> float:
    """By how much the bitrate grows with people about: half as much again in a full house."""
    return 1.0 + 0.5 * occupancy(hour)


class CameraRecorder(Model):
    """A recorder that overwrites its oldest pictures; `days` is how many it holds at the usual bitrate."""

    FAULTS = frozenset({"camera_offline", "disk_failing", "retention_short", "clock_off", *IMAGE})
    ACTS = frozenset({"replace_disk", "sync_clock", "restart_camera", "clean_camera", "restore_bitrate"})

    REPAIRS = {
        "replace_disk": ("disk_failing",),
        "sync_clock": ("clock_off",),
        "restart_camera": ("camera_offline", "image_frozen"),
        "clean_camera": ("camera_covered", "image_black", "image_blurred"),
        "restore_bitrate": ("retention_short",),
    }
    """Act -> the faults that it ends."""

    def __init__(
        self, random: Random, *, cameras: int = 16, disks: int = 8, days: float = 36.0, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self._quiet = [2600.0 * random.uniform(0.8, 1.2) for _ in range(cameras)]
        self._disks = disks
        self._mean = sum(self._quiet) * (1.0 + 0.5 * MEAN_OCCUPANCY)
        self._holds = days * self._mean
        self._noise = Wander(random, 0.02, 20.0)
        self._warmth = Wander(random, 0.3, 60.0)

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002
        """A repair ends its faults."""
        for fault in self.REPAIRS[act]:
            self.end(fault)

    def advance(self, dt: float) -> None:
        """Scenes are never quite alike."""
        self._noise.step(dt)
        self._warmth.step(dt)

    def drift(self, dt: float) -> None:
        """The mean bitrate of the last day, on which the days depend."""
        empty = sum(self._rate(number) for number in range(1, len(self._quiet) + 1))
        for hour, seconds in cells(self.epoch, dt, self.zone):
            self._mean = lag(self._mean, empty * _busy(hour), seconds, DAY)

    def _befalls(self, fault: str, number: int) -> bool:
        return self.on(fault) and int(self.param(fault, "camera", 1.0)) == number

    def _rate(self, number: int) -> float:
        """kbit/s of one camera while nobody is about."""
        if self._befalls("camera_offline", number):
            return 0.0
        rate = self._quiet[number - 1]
        if self.on("retention_short"):
            rate *= self.param("retention_short", "factor", 1.8)
        for fault, (_, _, left) in IMAGE.items():
            if self._befalls(fault, number):
                rate *= left
        return rate

    @property
    def _failing(self) -> float:
        """How far the failing disk, if there is one of that number, is on its course."""
        if not 1 <= int(self.param("disk_failing", "disk", 2.0)) <= self._disks:
            return 0.0
        return self.course("disk_failing", self.param("disk_failing", "seconds", 1_209_600.0))

    def values(self) -> dict[str, Value]:
        """Every point of the recorder, its disks and cameras."""
        cameras = len(self._quiet)
        offset = self.course("clock_off", self.param("clock_off", "seconds", 2_592_000.0)) * 95.0
        offline = self.on("camera_offline") and 1 <= int(self.param("camera_offline", "camera", 1.0)) <= cameras
        usable = 1.0 - (1.0 / self._disks if self._failing >= 1.0 else 0.0)
        found: dict[str, Value] = {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch + offset),
            "rec.fault": self._failing >= 1.0,
            "rec.days": limited(self._holds * usable / max(self._mean, 1.0), 0.0, 3650.0),
            "rec.clock_offset": offset + self._noise.value,
            "rec.cameras_online": cameras - offline,
        }
        for number in range(1, self._disks + 1):
            found.update(self._disk(number))
        total = 0.0
        for number in range(1, cameras + 1):
            camera = self._camera(number)
            found.update({f"camera[{number}].{key}": value for key, value in camera.items()})
            total += float(camera["bitrate"] or 0.0)
        return {**found, "rec.bitrate": total}

    def _disk(self, number: int) -> dict[str, Value]:
        course = self._failing if number == int(self.param("disk_failing", "disk", 2.0)) else 0.0
        key = f"disk[{number}]."
        return {
            key + "state": FAILED if course >= 1.0 else WARNING if course >= 0.6 else OK,
            key + "smart": course < 0.6,
            key + "temp": 38.0 + self._warmth.value + 9.0 * course,
            key + "reallocated": int(480 * course),
        }

    def _camera(self, number: int) -> dict[str, Value]:
        offline = self._befalls("camera_offline", number)
        flags: dict[str, Value] = {
            flag: not offline and self._befalls(fault, number) and self.on(fault, after)
            for fault, (flag, after, _) in IMAGE.items()
        }
        return {
            "online": not offline,
            "recording": not offline,
            "frame_age": self.age("camera_offline") if offline else 0.1,
            "bitrate": limited(self._rate(number) * _busy(self.hour) * (1.0 + self._noise.value), 0.0, 65_000.0),
            "fps": 0.0 if offline else FPS,
            "loss": 100.0 if offline else 0.1 + abs(self._noise.value),
            **flags,
        }
