"""Every channel: what it takes leaves whole, it can be closed, and a failure says whether to try again."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import msgspec
import pytest

from facility.settings import ChannelSettings
from rules.notification.channels import KINDS, Channel, ChannelError, WebhookChannel, open_channels
from rules.notification.notify import Message, Moment, message
from tests.rules.builders import a_judgement, a_routing
from tests.rules.rows import an_alarm_row
from tests.services.hook import Hook, a_hook
from tests.services.ports import free_port

MESSAGE = message(an_alarm_row(), "raise", "boss", a_routing(), Moment(1000, 990, a_judgement().facts))


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A receiver on loopback."""
    async with a_hook() as running:
        yield running


@pytest.fixture(params=sorted(KINDS))
async def channel(request: pytest.FixtureRequest, hook: Hook) -> AsyncIterator[Channel]:
    """Each kind of channel, as the settings make it."""
    opened = open_channels([ChannelSettings(id="boss", kind=request.param, url=hook.url, token="s3cret-token")])["boss"]
    yield opened
    await opened.close()


async def test_a_message_leaves_and_may_leave_twice(
    channel: Channel, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "caretaker.alerts")
    await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    arrived = [post.key for post in hook.posts] or [
        record.getMessage() for record in caplog.records if record.name == "caretaker.alerts"
    ]
    assert len(arrived) == 2
    assert all(MESSAGE.key in text for text in arrived)


async def test_closing_twice_is_fine(channel: Channel) -> None:
    await channel.close()
    await channel.close()


async def test_a_log_line_is_one_line_and_says_what_and_where(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "caretaker.alerts")
    opened = open_channels([ChannelSettings(id="log", kind="log")])["log"]
    await opened.send(msgspec.structs.replace(MESSAGE, text="P-01\n2026 FORGED LINE"))
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "\n" not in record.getMessage()
    assert "P-01" in record.getMessage()


async def test_a_webhook_posts_everything_with_key_and_token(hook: Hook) -> None:
    opened = WebhookChannel("boss", hook.url, token="s3cret-token")
    await opened.send(MESSAGE)
    await opened.send(MESSAGE)
    await opened.close()
    post = hook.posts[0]
    assert (post.key, post.authorization, post.content_type) == (
        MESSAGE.key,
        "Bearer s3cret-token",
        "application/json",
    )
    assert msgspec.convert(post.body, Message) == MESSAGE
    assert post.body["text"] == "[URGENT] P-01 Pump set 1: Pump runs dry (alarm)"
    assert post.body["facts"] == {"pump[1].flow": 0.0}
    assert hook.posts[1].connection == post.connection  # kept warm


@pytest.mark.parametrize(
    ("status", "retry"),
    [(400, False), (401, False), (404, False), (408, True), (429, True), (301, True), (500, True), (503, True)],
)
async def test_a_refusal_says_whether_to_try_again(hook: Hook, status: int, retry: bool) -> None:
    hook.answer = lambda _post: status
    hook.text = "no\nsuch place"
    opened = WebhookChannel("boss", hook.url, token="s3cret-token")
    with pytest.raises(ChannelError) as caught:
        await opened.send(MESSAGE)
    await opened.close()
    assert caught.value.retry is retry
    assert str(caught.value) == f"channel boss: HTTP {status} no such place"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_success(hook: Hook, status: int) -> None:
    hook.answer = lambda _post: status
    opened = WebhookChannel("boss", hook.url)
    await opened.send(MESSAGE)
    await opened.close()
    assert hook.posts[0].authorization == ""


async def test_a_long_answer_is_not_swallowed(hook: Hook) -> None:
    hook.answer, hook.text = lambda _post: 500, "x" * 1_000_000
    opened = WebhookChannel("boss", hook.url)
    with pytest.raises(ChannelError) as caught:
        await opened.send(MESSAGE)
    await opened.close()
    assert len(str(caught.value)) < 300


async def test_nobody_there_is_tried_again_and_tells_no_secret() -> None:
    opened = WebhookChannel("boss", f"http://127.0.0.1:{free_port()}/push", token="s3cret-token")
    with pytest.raises(ChannelError) as caught:
        await opened.send(MESSAGE)
    await opened.close()
    assert caught.value.retry
    assert "s3cret" not in str(caught.value)


async def test_an_unusable_address_is_final() -> None:
    opened = WebhookChannel("boss", "http://127.0.0.1:99999999/push")
    with pytest.raises(ChannelError) as caught:
        await opened.send(MESSAGE)
    await opened.close()
    assert not caught.value.retry
