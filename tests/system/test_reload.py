"""Live configuration, from the edited file to the value on the screen: processes, signals, refusals; and what stays."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil
import pytest

from api.accounts import Accounts
from api.auth import Role as Rights
from caretaker_reload import Devices, Outcome, frozen, judged_otherwise, reload
from caretaker_roles import House, RoleError, open_house
from caretaker_running import FOLDER, Reloader, Running, ask, running
from caretaker_site import Whole, load_whole
from facility.clock import SystemClock
from facility.config import load_site
from facility.errors import ConfigError
from facility.readings import Quality
from facility.settings import ApiSettings, SpoolSettings
from rules.records.records import open_records
from tests.gateway.plant import raw_server
from tests.services.hook import a_hook
from tests.services.waiting import until
from tests.system.crew import ROOT, Role
from tests.system.small_house import FILES, GATEWAY, Box, SmallHouse, small_house

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

LIFT = "  - {{id: {0}, class: elevator, labels: {{zh: 电梯, en: Lift}}}}\n"
BOX = "  - {{id: {0}, profile: box, asset: {1}, gateway: gw-1, port: {2}, speedup: 10}}\n"
RULE = """\
  - id: own.heavy
    labels: {zh: 过重, en: Heavy}
    guidance: {zh: 查看, en: Look}
    when: car.load > 40
    severity: 2
    raises: ticket
"""


def write(folder: Path, **changed: str) -> None:
    """The small house's files; `changed` by stem."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(changed.get(file.stem if file.parent == folder else name, text), encoding="utf-8")


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


async def caretaker(*arguments: str) -> tuple[int, str, str]:
    """Run the program to its end: exit code, what it printed, and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "caretaker", *arguments, cwd=ROOT, env={**os.environ, "COLUMNS": "300"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@dataclass
class Site:
    """A running process of a site of two lifts, of which one has a device; and how to look at it."""

    folder: Path
    role: Role
    boxes: list[Box]
    ports: list[int]
    http: httpx.AsyncClient

    async def value(self, asset: str, point: str) -> object:
        """The newest value by the API; None without one, or when it is not good."""
        answer = await self.http.get("/api/v1/latest", params={"asset": asset, "point": point})
        rows = answer.raise_for_status().json()["items"]
        return rows[0]["value"] if rows and rows[0]["quality"] == "good" else None

    async def becomes(self, asset: str, point: str, value: object) -> None:
        """Return when it is so."""
        async with asyncio.timeout(20):
            while await self.value(asset, point) != value:
                await asyncio.sleep(0.05)


async def a_token(folder: Path) -> str:
    """Of a new user, written into the records of the site beside the process that runs."""
    settings = load_site(folder)[0].settings.records
    clock = SystemClock()
    async with open_records(settings, folder) as records:
        accounts = Accounts(records)
        user = await accounts.add("ann", Rights.VIEWER, language="en", password_hash="x", at=clock.ms(), actor="test")
        return await accounts.add_token(user, "test", clock.ms(), expires=clock.ms() + 3_600_000, actor="test")


@asynccontextmanager
async def a_running_site(folder: Path, *options: str) -> AsyncIterator[Site]:
    boxes = [Box(), Box(), Box()]
    async with (
        a_hook() as hook,
        raw_server(boxes[0].reply) as one,
        raw_server(boxes[1].reply) as two,
        raw_server(boxes[2].reply) as three,
    ):
        write(
            folder,
            assets="assets:\n" + LIFT.format("EL-01") + LIFT.format("EL-02"),
            devices="devices:\n" + BOX.format("box", "EL-01", one),
            people=FILES["people.yaml"].replace("URL", hook.url),
        )
        role = Role(["run", str(folder), *options], folder.parent / "run.log")
        await role.start(until="running ")
        try:
            address = re.search(r"; (http://\S+)", role.text())
            assert address
            token = await a_token(folder)
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=address[1], headers=headers, timeout=10) as http:
                site = Site(folder, role, boxes, [one, two, three], http)
                await site.becomes("EL-01", "car.load", 0.0)
                yield site
        finally:
            assert await role.stop() == 0


async def test_an_edited_folder_is_taken_over_by_the_running_process_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    async with a_running_site(folder) as site, site.http.stream("GET", "/api/v1/stream?kinds=readings") as stream:
        # a device more
        append(folder / "devices.yaml", BOX.format("second", "EL-02", site.ports[1]))
        site.boxes[1].words[1] = 123
        code, out, err = await caretaker("reload", str(folder))
        assert (code, err) == (0, "")
        assert "gateway gw-1: added second" in out
        await site.becomes("EL-02", "car.load", 12.3)
        async with asyncio.timeout(10):
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and json.loads(line[6:]).get("asset") == "EL-02":
                    break

        # an asset, a device and a rule more
        append(folder / "assets.yaml", LIFT.format("EL-03"))
        append(folder / "devices.yaml", BOX.format("third", "EL-03", site.ports[2]))
        append(folder / "rules" / "own.yaml", RULE)
        site.boxes[2].words[1] = 456
        code, out, err = await caretaker("reload", str(folder))
        assert (code, err) == (0, "")
        for words in ("gateway gw-1: added third", "ingest: took the change over", "api: took", "rules: started again"):
            assert words in out
        await site.becomes("EL-03", "car.load", 45.6)
        async with asyncio.timeout(20):
            while not (await site.http.get("/api/v1/alarms", params={"asset": "EL-03"})).json()["items"]:
                await asyncio.sleep(0.1)

        # wrong: told with its line by the command and by the process; nothing happens
        devices = folder / "devices.yaml"
        good = devices.read_text(encoding="utf-8")
        devices.write_text(good.replace("third, profile: box", "third, profile: no-such-box"), encoding="utf-8")
        code, out, err = await caretaker("reload", str(folder))
        assert (code, out) == (1, "")
        assert "devices.yaml:4:" in err
        assert "nothing was changed" in err
        offset = len(site.role.text())
        assert site.role.process
        os.kill(site.role.process.pid, signal.SIGHUP)
        await until(lambda: "nothing was changed" in site.role.text(offset), limit=20)
        assert f"{devices}:4:" in site.role.text(offset)
        site.boxes[2].words[1] = 111
        await site.becomes("EL-03", "car.load", 11.1)

        # gone again; and what only a start can change is named
        devices.write_text("".join(good.splitlines(keepends=True)[:2]), encoding="utf-8")
        append(folder / "site.yaml", "spool: {megabytes: 99}\n")
        code, out, err = await caretaker("reload", str(folder))
        assert (code, err) == (0, "")
        assert "gateway gw-1: removed second, third" in out
        assert "needs a restart: spool (site.yaml)" in out
        polls = site.boxes[1].polls, site.boxes[2].polls
        await site.becomes("EL-01", "car.load", 0.0)
        assert (site.boxes[1].polls, site.boxes[2].polls) == polls
        assert await site.value("EL-03", "car.load") is None
    code, _, err = await caretaker("reload", str(folder))
    assert code == 1
    assert "no process of" in err
    assert not list((folder / FOLDER).iterdir())


async def test_a_watched_folder_is_taken_over_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    async with a_running_site(folder, "--watch") as site:
        devices = folder / "devices.yaml"
        good = devices.read_text(encoding="utf-8")
        append(devices, "  - {id: half\n")
        await until(lambda: "nothing was changed" in site.role.text(), limit=20)
        assert f"{devices}:" in site.role.text()
        devices.write_text(good + BOX.format("second", "EL-02", site.ports[1]), encoding="utf-8")
        site.boxes[1].words[1] = 123
        await site.becomes("EL-02", "car.load", 12.3)


async def test_processes_that_are_gone_are_swept_away_and_one_that_is_silent_is_told(tmp_path: Path) -> None:
    place = tmp_path / FOLDER
    place.mkdir(parents=True)
    (place / "4000000.json").write_text('{"pid":4000000,"started":1.0,"roles":[]}')
    (place / "4000000.answer.json").write_text("{}")
    (place / f"{os.getpid()}.json").write_text(f'{{"pid":{os.getpid()},"started":1.0,"roles":["api"]}}')
    (place / "5.json").write_text("no json")
    assert running(tmp_path) == []
    assert not list(place.iterdir())
    gone = Running(4_000_000, 1.0, [])
    assert (await ask(tmp_path, gone, SystemClock())).problems == ["it has just ended"]


async def test_what_breaks_in_the_middle_is_told_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, devices="devices: []\n", people="channels: []\n")

    async def broken(_: Whole) -> Outcome:
        raise RuntimeError("a defect")

    reloader = Reloader(tmp_path, broken, SystemClock())
    serving = asyncio.create_task(reloader.serve())
    for _ in range(2):
        reloader.asked.set()
        await until(lambda: not reloader.asked.is_set())
        place = tmp_path / FOLDER / f"{os.getpid()}.answer.json"
        await until(place.exists, limit=20)
        assert "RuntimeError: a defect; the change may be applied in part" in place.read_text()
        place.unlink()
    assert not serving.done()
    serving.cancel()
    assert "a defect" in caplog.text


TERMINAL = """\
import asyncio, fcntl, signal, termios
from caretaker_running import on_hangup
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
async def main():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    on_hangup(lambda: print("reload", flush=True))
    print("there", flush=True)
    await ended.wait()
    print("ended", flush=True)
asyncio.run(main())
"""


async def test_a_hangup_reloads_but_one_of_the_terminal_that_is_gone_ends() -> None:
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TERMINAL, cwd=ROOT, stdin=theirs, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    os.close(theirs)
    assert process.stdout
    assert await process.stdout.readline() == b"there\n"
    process.send_signal(signal.SIGHUP)
    assert await process.stdout.readline() == b"reload\n"
    os.close(ours)
    assert await process.stdout.readline() == b"ended\n"
    assert await process.wait() == 0


def test_gateways_are_asked_last_and_ingest_first(tmp_path: Path) -> None:
    place = tmp_path / FOLDER
    place.mkdir(parents=True)
    me = os.getpid()
    started = psutil.Process(me).create_time()
    for name, roles in (("a", ["gateway:gw-1"]), ("b", ["api"]), ("c", ["ingest", "gateway"])):
        (place / f"{name}.json").write_text(json.dumps({"pid": me, "started": started, "roles": roles}))
    assert [process.roles[0] for process in running(tmp_path)] == ["ingest", "api", "gateway:gw-1"]


# --- in one process: what stays


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallHouse]:
    """The house at work: its first readings are stored."""
    async with small_house(tmp_path) as found:
        await until(lambda: bool(found.stored), limit=15)
        yield found


async def raised(small: SmallHouse, rule: str) -> None:
    async with asyncio.timeout(20):
        while rule not in await small.alarms():
            await asyncio.sleep(0.05)


async def test_rules_are_started_again_without_losing_or_repeating_an_alarm(small: SmallHouse) -> None:
    folder = small.house.site.folder
    small.box.button = True
    await raised(small, "own.button")
    await until(lambda: small.pushed("own.button") == ["raise"], limit=15)
    before = (await small.alarms())["own.button"]
    rules, gateway, ingest = small.house.rules, small.gateway, small.house.ingest
    seq = gateway.status().last_seq

    own = folder / "rules" / "own.yaml"
    text = own.read_text(encoding="utf-8")
    own.write_text("# a remark moves every line and changes nothing\n" + text, encoding="utf-8")
    assert (await reload(small.house, load_whole(folder))).lines() == ["nothing changed"]
    assert small.house.rules is rules

    own.write_text(text.replace("en: Answer", "en: Answer at once"), encoding="utf-8")
    outcome = await reload(small.house, load_whole(folder))
    assert (outcome.restarted, outcome.devices, outcome.adopted) == (["rules"], {}, [])
    assert small.house.rules is not rules
    assert (small.gateway, small.house.ingest) == (gateway, ingest)
    assert small.house.rules
    async with asyncio.timeout(15):
        await small.house.rules.live.wait()
    small.box.button = False
    await until(lambda: small.pushed("own.button") == ["raise", "clear"], limit=20)
    assert (await small.alarms())["own.button"].id == before.id
    assert gateway.status().last_seq > seq
    assert small.house.ingest
    assert small.house.ingest.gaps() == []


async def test_only_devices_changed_and_the_rules_go_on(small: SmallHouse) -> None:
    folder = small.house.site.folder
    rules, tasks = small.house.rules, dict(small.house.tasks)
    devices = folder / "devices.yaml"
    devices.write_text(devices.read_text(encoding="utf-8").replace("speedup: 10", "speedup: 5"), encoding="utf-8")
    outcome = await reload(small.house, load_whole(folder))
    assert outcome.devices == {GATEWAY: Devices(changed=("box",))}
    assert (outcome.restarted, outcome.adopted) == ([], [])
    assert small.house.rules is rules
    assert small.house.tasks == tasks
    small.box.words[1] = 77
    async with asyncio.timeout(15):
        while (found := await small.latest("car.load")) is None or found.value != pytest.approx(7.7):
            await asyncio.sleep(0.05)


async def test_what_a_removed_asset_still_has_on_its_way_is_stored_and_its_points_end(small: SmallHouse) -> None:
    folder = small.house.site.folder
    small.store.away = True
    sent, small.box.words[1] = small.gateway.sent, 500
    await until(lambda: small.gateway.sent > sent and small.gateway.status().spool_batches > 0, limit=15)
    (folder / "assets.yaml").write_text("assets:\n" + LIFT.format("EL-09"), encoding="utf-8")
    (folder / "devices.yaml").write_text("devices: []\n", encoding="utf-8")
    outcome = await reload(small.house, load_whole(folder))
    assert outcome.devices == {GATEWAY: Devices(removed=("box",))}
    small.store.away = False
    await until(lambda: small.gateway.status().spool_batches == 0, limit=20)
    found = await small.latest("car.load")
    assert found
    assert (found.value, found.quality) == (50.0, Quality.GOOD)
    assert small.letters() == []


async def test_another_site_is_refused_and_nothing_changes(small: SmallHouse) -> None:
    folder = small.house.site.folder
    site = folder / "site.yaml"
    before = small.house.site
    site.write_text(site.read_text(encoding="utf-8").replace("small-house", "big-house"), encoding="utf-8")
    with pytest.raises(RoleError, match="start anew"):
        await reload(small.house, load_whole(folder))
    assert small.house.site is before
    site.write_text("site: [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site\.yaml:\d"):
        load_whole(folder)


async def test_gateways_come_and_go(tmp_path: Path) -> None:
    box = Box()
    async with raw_server(box.reply) as port:
        gateways = FILES["site.yaml"].replace("[gw-1, gw-2]", "[gw-1]")
        device = BOX.format("box", "EL-01", port)
        write(tmp_path, site=gateways, devices="devices:\n" + device, people="channels: []\n")
        whole = load_whole(tmp_path)
        house = House(whole.site, whole.catalog, whole.rulebook, SystemClock())
        async with open_house(house, ["broker", "ingest", "rules", "api", "gateway"]):
            waiting = asyncio.create_task(house.wait())
            (first,) = house.gateways
            await until(lambda: first.sent > 0, limit=15)
            write(tmp_path, devices="devices:\n" + device.replace("gw-1", "gw-2"), people="channels: []\n")
            outcome = await reload(house, load_whole(tmp_path))
            assert (outcome.gateways_added, outcome.devices) == (["gw-2"], {"gw-1": Devices(removed=("box",))})
            second = house.gateways[1]
            await until(lambda: second.sent > 0, limit=15)
            (tmp_path / "site.yaml").write_text(gateways.replace("gw-1", "gw-2"), encoding="utf-8")
            outcome = await reload(house, load_whole(tmp_path))
            assert (outcome.gateways_removed, outcome.left) == (["gw-1"], {})
            assert house.gateways == [second]
            assert "gw-1" not in house.tasks
            assert not waiting.done()
            house.tasks["gw-2"].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting


def test_what_restarts_and_what_waits_for_a_restart(tmp_path: Path) -> None:
    write(tmp_path, devices="devices: []\n", people=FILES["people.yaml"].replace("URL", "http://127.0.0.1:9/"))
    whole = load_whole(tmp_path)

    def with_settings(**changed: object) -> Whole:
        return replace(whole, site=replace(whole.site, settings=whole.site.settings.model_copy(update=changed)))

    other = with_settings(api=ApiSettings(port=1), spool=SpoolSettings(megabytes=3))
    assert frozen(whole, other) == ["spool (site.yaml)", "api (site.yaml)"]
    readings = whole.site.settings.readings
    assert frozen(whole, with_settings(readings=readings.model_copy(update={"retention_days": 9}))) == []
    assert frozen(whole, with_settings(readings=readings.model_copy(update={"path": "x"}))) == ["readings (site.yaml)"]
    assert not judged_otherwise(whole, load_whole(tmp_path))
    assert not judged_otherwise(whole, with_settings(spool=SpoolSettings(megabytes=3)))
    assert judged_otherwise(whole, with_settings(future_limit=5.0))
    assert judged_otherwise(whole, replace(whole, site=replace(whole.site, routes=())))
    assert judged_otherwise(whole, replace(whole, site=replace(whole.site, channels=())))
