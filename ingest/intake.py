"""From an MQTT message to what ingest has to do with it: store, quarantine, confirm. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from facility.errors import DecodeError
from facility.wire import MAX_PAYLOAD, AlarmNotice, Batch, alarms_topic, decode, parse_topic
from ingest.admission import MAX_AT, MAX_INT, Admission, wrong_envelope
from ingest.letters import NewLetter
from ingest.store import Delivery

Key = tuple[str, str, int]
"""(gateway, boot, seq)"""


@dataclass(slots=True)
class Item:
    """One message, understood. `size`: bytes on the wire; `readings`: how many are to be stored.

    `key` names the batch to confirm once everything else here is durable; None when there is nobody to tell.
    """

    size: int
    readings: int = 0
    delivery: Delivery | None = None
    key: Key | None = None
    letters: list[NewLetter] = field(default_factory=list)
    quarantined: int = 0
    future: int = 0


class Intake:
    """Reads the messages of one site. `gateways` are those that may speak."""

    def __init__(self, site: str, gateways: Collection[str], admission: Admission) -> None:
        self._site = site
        self._gateways = frozenset(gateways)
        self._admission = admission
        self._alarms = alarms_topic(site)
        self._senders: dict[str, str] = {}

    def read(self, topic: str, payload: bytes, now: int) -> Item | AlarmNotice:
        """What a message asks for; one that can't be understood comes back as an Item with a letter. `now`: ms UTC."""
        try:
            if topic == self._alarms:
                return _checked(decode(AlarmNotice, payload))
            gateway = self._gateway(topic)
            batch = decode(Batch, payload)
        except DecodeError as error:
            return self._dead(topic, payload, now, error.reason)
        reason = wrong_envelope(batch)
        if reason:
            return self._dead(topic, payload, now, reason)
        if gateway not in self._gateways:
            item = self._dead(topic, payload, now, f"there is no gateway {gateway!r} in this site")
            item.key, item.quarantined = (gateway, batch.boot, batch.seq), batch.count
            return item
        return self._item(gateway, batch, topic=topic, size=len(payload), now=now)

    def _gateway(self, topic: str) -> str:
        gateway = self._senders.get(topic)
        if gateway is None:
            site, gateway, leaf = parse_topic(topic)
            if site != self._site or leaf != "readings":
                raise DecodeError(f"not a readings topic of the site {self._site}")
            if gateway in self._gateways:
                self._senders[topic] = gateway
        return gateway

    def _item(self, gateway: str, batch: Batch, *, topic: str, size: int, now: int) -> Item:
        admitted = self._admission.admit(gateway, batch, now)
        item = Item(size, admitted.delivery.batch.count, admitted.delivery, (gateway, batch.boot, batch.seq))
        if admitted.refused:
            item.letters = [
                NewLetter("reading", now, topic, refused.reason, refused.what.encode(), f"{batch.boot}/{batch.seq}")
                for refused in admitted.refused
            ]
            item.quarantined = batch.count - item.readings
        item.future = admitted.future
        return item

    @staticmethod
    def _dead(topic: str, payload: bytes, now: int, reason: str) -> Item:
        # an oversized payload is not kept whole, so it may not count whole against the queue's bound either
        return Item(min(len(payload), MAX_PAYLOAD), letters=[NewLetter("payload", now, topic, reason, payload)])


def _checked(notice: AlarmNotice) -> AlarmNotice:
    """The notice, if a store can take it; one that it can't would stand in the way of all others."""
    if not (0 <= notice.at <= MAX_AT and abs(notice.version) < MAX_INT and abs(notice.severity) < MAX_INT):
        raise DecodeError("an alarm notice with an instant or a number that nothing can hold")
    return notice
