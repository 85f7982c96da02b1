"""Ways out of the house: one protocol, one contract suite (tests/contracts/test_channel.py), one file a kind.

To add a kind: its file here, its settings in facility/settings.py, an entry in `KINDS`, and its server in the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from facility.settings import ChannelSettings
from rules.notification.channels.log import LogChannel
from rules.notification.channels.protocol import Channel, ChannelError
from rules.notification.channels.webhook import WebhookChannel

__all__ = ["KINDS", "Channel", "ChannelError", "LogChannel", "WebhookChannel", "open_channels"]

KINDS: Mapping[str, Callable[[ChannelSettings], Channel]] = {
    "log": lambda settings: LogChannel(settings.id),
    "webhook": lambda settings: WebhookChannel(settings.id, settings.url, token=settings.token),
}


def open_channels(channels: Iterable[ChannelSettings]) -> dict[str, Channel]:
    """The channels by id. Whoever sends through them closes them."""
    return {settings.id: KINDS[settings.kind](settings) for settings in channels}
