"""Loss accounting from `seq`: what each gateway sent, what is safe, what is missing. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.intervals import Intervals

MAX_BOOTS = 64
"""How many starts of one gateway are remembered; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches `first`..`last` of a gateway's start that were never seen, though later ones were."""

    gateway: str
    boot: str
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many batches are missing."""
        return self.last - self.first + 1


@dataclass(slots=True)
class _Row:
    stored: Intervals
    duplicates: int = 0


class Accounting:
    """Which batches are safe (in the store, or in quarantine), by gateway and boot.

    A gap is a hole between the lowest and the highest safe number since this process started: before the first one
    that it saw, somebody else kept the books. After an outage gaps stand while history follows, then they close.
    """

    def __init__(self) -> None:
        self._rows: dict[str, OrderedDict[str, _Row]] = {}
        self.duplicates = 0

    def _row(self, gateway: str, boot: str) -> _Row:
        boots = self._rows.setdefault(gateway, OrderedDict())
        row = boots.get(boot)
        if row is None:
            row = boots[boot] = _Row(Intervals())
            if len(boots) > MAX_BOOTS:
                boots.popitem(last=False)
        else:
            boots.move_to_end(boot)
        return row

    def is_stored(self, gateway: str, boot: str, seq: int) -> bool:
        """Whether this process saw the batch become safe."""
        boots = self._rows.get(gateway)
        row = boots.get(boot) if boots else None
        return row is not None and seq in row.stored

    def stored(self, gateway: str, boot: str, seq: int) -> None:
        """A batch is safe. A second time counts as a duplicate."""
        if not self._row(gateway, boot).stored.add(seq):
            self.again(gateway, boot)

    def again(self, gateway: str, boot: str) -> None:
        """A batch arrived that was safe already."""
        self._row(gateway, boot).duplicates += 1
        self.duplicates += 1

    def gaps(self, gateway: str = "") -> list[Gap]:
        """Every hole (of one gateway, if named), oldest start first."""
        return [
            Gap(name, boot, first, last)
            for name, boots in sorted(self._rows.items())
            if not gateway or name == gateway
            for boot, row in boots.items()
            for first, last in row.stored.gaps()
        ]

    def missing(self) -> int:
        """How many batches lie in gaps."""
        return sum(row.stored.missing() for boots in self._rows.values() for row in boots.values())


def ranges(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as sorted inclusive ranges, as `wire.Stored` tells them."""
    return Intervals((seq, seq) for seq in sorted(seqs)).ranges()
