"""Pushing, against a Grafana of twenty lines that keeps what it is given and records every call."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dashboards.build import boards, folder_title, write
from dashboards.cli import app
from dashboards.panels import Json
from dashboards.push import Done, Grafana, PushError, push
from dashboards.sources import Access, sources
from facility.catalog import Catalog
from facility.config import Site
from facility.settings import ReadingsSettings
from tests.services.ports import free_port

SITE = Path(__file__).parent / "site"
TOKEN = "glsa_a-token-of-the-test"


class Stub(ThreadingHTTPServer):
    """What Grafana keeps, by kind and uid."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, dict[str, Json]] = {"folders": {}, "datasources": {}, "dashboards": {}}
        self.calls: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.status = 0

    @property
    def url(self) -> str:
        """Its address, below a path as behind a reverse proxy."""
        return f"http://127.0.0.1:{self.server_address[1]}/grafana/"


class Handler(BaseHTTPRequestHandler):
    """Folders, data sources and boards, as Grafana's HTTP API has them."""

    server: Stub

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """One thing by its uid."""
        self.answer(None)

    def do_POST(self) -> None:
        """A new thing, or a board."""
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_PUT(self) -> None:
        """A thing as it shall be."""
        self.do_POST()

    def answer(self, body: Json | None) -> None:
        """Do it and answer."""
        path = self.path.removeprefix("/grafana/api/")
        self.server.calls.append((self.command, path))
        self.server.tokens.add(self.headers["Authorization"])
        status, answer = (self.server.status, {"message": "no"}) if self.server.status else self.kept(path, body)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def kept(self, path: str, body: Json | None) -> tuple[int, Json]:
        """(status, answer)."""
        kind, _, rest = path.partition("/")
        kept = self.server.kept[kind]
        key = rest.rpartition("/")[2]
        if body is None:
            return (200, kept[key]) if key in kept else (404, {"message": "not found"})
        if kind == "dashboards":
            board = body["dashboard"]
            version = kept.get(board["uid"], {}).get("dashboard", {}).get("version", 0) + 1
            kept[board["uid"]] = {
                "dashboard": board | {"id": 7, "version": version},
                "meta": {"folderUid": body["folderUid"]},
            }
            return 200, {"status": "success"}
        if self.command == "PUT":
            kept[key] = kept[key] | body
        else:
            kept[body["uid"]] = body
        return 200, {"message": "ok"}


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A running stub."""
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


ACCESS = Access("http://127.0.0.1:8000/", "an-api-token", "reader:a-token")


async def pushed(stub: Stub, site: Site, made: dict[str, Json], title: str = "Caretaker Tower 1") -> list[Done]:
    """Push the English boards, in a thread as an event loop must."""
    return await asyncio.to_thread(
        push,
        Grafana(stub.url, TOKEN),
        site.id,
        made,
        folders={"en": title},
        sources=sources(site.settings.readings, ACCESS),
    )


async def test_the_first_push_creates_everything(stub: Stub, site: Site, all_boards: dict[str, Json]) -> None:
    done = await pushed(stub, site, all_boards)
    assert {item.how for item in done} == {"created"}
    assert [item.what for item in done] == ["data source", "data source", "folder"] + ["board"] * 8
    assert set(stub.kept["datasources"]) == {"caretaker-readings", "caretaker-api"}
    (folder,) = stub.kept["folders"].values()
    assert folder["title"] == "Caretaker Tower 1"
    assert {item["meta"]["folderUid"] for item in stub.kept["dashboards"].values()} == {folder["uid"]}
    assert stub.kept["dashboards"]["ct-tower-1-overview-en"]["dashboard"]["title"] == "Tower 1 · Overview"
    assert stub.tokens == {f"Bearer {TOKEN}"}


async def test_a_second_push_changes_nothing(stub: Stub, site: Site, all_boards: dict[str, Json]) -> None:
    await pushed(stub, site, all_boards)
    stub.calls.clear()
    done = await pushed(stub, site, all_boards)
    assert {item.how for item in done if item.what != "data source"} == {"unchanged"}
    assert {path for method, path in stub.calls if method != "GET"} == {
        "datasources/uid/caretaker-readings",
        "datasources/uid/caretaker-api",
    }


async def test_only_what_changed_is_pushed_again(stub: Stub, site: Site, all_boards: dict[str, Json]) -> None:
    await pushed(stub, site, all_boards)
    changed = all_boards | {"en/power.json": all_boards["en/power.json"] | {"title": "Other"}}
    done = await pushed(stub, site, changed, title="Renamed")
    assert [(item.what, item.how) for item in done if item.how == "updated" and item.what != "data source"] == [
        ("folder", "updated"),
        ("board", "updated"),
    ]
    assert stub.kept["dashboards"]["ct-tower-1-power-en"]["dashboard"]["version"] == 2


async def test_a_board_that_somebody_moved_comes_back(stub: Stub, site: Site, all_boards: dict[str, Json]) -> None:
    await pushed(stub, site, all_boards)
    stub.kept["dashboards"]["ct-tower-1-alarms-en"]["meta"]["folderUid"] = "elsewhere"
    done = await pushed(stub, site, all_boards)
    assert [item.name for item in done if item.how == "updated" and item.what == "board"] == [
        "Tower 1 · Alarms and tickets (ct-tower-1-alarms-en)"
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 500])
async def test_a_refusal_is_told_without_the_token(stub: Stub, site: Site, status: int) -> None:
    stub.status = status
    with pytest.raises(PushError, match=rf"data source Caretaker readings: Grafana says {status}") as error:
        await pushed(stub, site, {})
    assert TOKEN not in str(error.value)


def test_nobody_there_is_told() -> None:
    with pytest.raises(PushError, match="can't be reached: ConnectionError"):
        Grafana(f"http://127.0.0.1:{free_port()}", TOKEN).folder("a", "A")


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://x", "http://"])
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(PushError, match="is no http"):
        Grafana(url, TOKEN)


def test_the_sources_of_both_kinds_of_influxdb(site: Site) -> None:
    influx, api = sources(site.settings.readings, ACCESS)
    assert (influx["basicAuthUser"], influx["secureJsonData"]) == ("reader", {"basicAuthPassword": "a-token"})
    assert influx["jsonData"]["dbName"] == "caretaker"
    assert api["url"] == "http://127.0.0.1:8000"
    assert api["secureJsonData"] == {"bearerToken": "an-api-token"}
    plain, _ = sources(site.settings.readings, Access("http://x", "t", "v2token"))
    assert (plain["basicAuthUser"], plain["secureJsonData"]) == ("caretaker", {"basicAuthPassword": "v2token"})
    assert [source["uid"] for source in sources(ReadingsSettings(), ACCESS)] == ["caretaker-api"]
    assert "token" not in repr(ACCESS)


def test_build_writes_boards_and_provisioning_without_a_secret(loaded: tuple[Site, Catalog], tmp_path: Path) -> None:
    written = write(*loaded, ("zh", "en"), tmp_path)
    assert len(written) == 18
    board = json.loads((tmp_path / "dashboards" / "zh" / "overview.json").read_text())
    assert board == boards(*loaded, ("zh",))["zh/overview.json"]
    made = yaml.safe_load((tmp_path / "provisioning" / "datasources" / "caretaker.yaml").read_text())
    assert [source["uid"] for source in made["datasources"]] == ["caretaker-readings", "caretaker-api"]
    assert made["datasources"][0]["secureJsonData"] == {"basicAuthPassword": "$CARETAKER_INFLUX_TOKEN"}
    providers = yaml.safe_load((tmp_path / "provisioning" / "dashboards" / "caretaker.yaml").read_text())["providers"]
    assert [provider["folder"] for provider in providers] == ["守护 一号楼", "Caretaker Tower 1"]
    everything = "".join(path.read_text() for path in written)
    assert "a-token-of-the-test" not in everything


def test_the_command_builds(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", str(SITE), "--out", str(tmp_path), "--language", "en"])
    assert result.exit_code == 0, result.output
    assert "10 files" in result.output
    assert not (tmp_path / "dashboards" / "zh").exists()


@pytest.mark.parametrize(
    ("more", "uids"),
    [
        ([], {"caretaker-readings", "caretaker-api"}),
        (["--readings", "influx"], {"caretaker-readings", "caretaker-api"}),
        (["--readings", "api"], {"caretaker-api"}),
    ],
)
def test_the_command_follows_the_site_or_is_told(tmp_path: Path, more: list[str], uids: set[str]) -> None:
    result = CliRunner().invoke(app, ["build", str(SITE), "--out", str(tmp_path), *more])
    assert result.exit_code == 0, result.output
    board = (tmp_path / "dashboards" / "en" / "power.json").read_text()
    assert {uid for uid in ("caretaker-readings", "caretaker-api") if f'"{uid}"' in board} == uids
    made = yaml.safe_load((tmp_path / "provisioning" / "datasources" / "caretaker.yaml").read_text())
    assert {source["uid"] for source in made["datasources"]} == uids


def test_a_site_without_influxdb_asks_the_api(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder)
    settings = (folder / "site.yaml").read_text()
    (folder / "site.yaml").write_text(settings.replace(settings.splitlines()[-1], "readings: {kind: duckdb}"))
    out = tmp_path / "boards"
    result = CliRunner().invoke(app, ["build", str(folder), "--out", str(out), "--language", "en"])
    assert result.exit_code == 0, result.output
    power = (out / "dashboards" / "en" / "power.json").read_text()
    assert "/api/v1/history/wide?asset=$asset&point=" in power
    assert "caretaker-readings" not in power
    result = CliRunner().invoke(app, ["build", str(folder), "--out", str(tmp_path / "other"), "--readings", "influx"])
    assert result.exit_code == 2
    assert "--readings influx needs `url`" in result.output
    assert not (tmp_path / "other").exists()


def test_the_command_pushes(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("CARETAKER_API_TOKEN", "an-api-token")
    result = CliRunner().invoke(app, ["push", str(SITE), "--url", stub.url, "--language", "zh"])
    assert result.exit_code == 0, result.output
    assert "created   folder: 守护 一号楼" in result.output
    assert stub.kept["datasources"]["caretaker-api"]["url"] == "http://127.0.0.1:8000"
    assert TOKEN not in result.output
    stub.status = 403
    result = CliRunner().invoke(app, ["push", str(SITE), "--url", stub.url])
    assert result.exit_code == 1
    assert "Grafana says 403" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["push", str(SITE), "--url", "http://127.0.0.1:1"], 2, "CARETAKER_API_TOKEN is not set"),
        (["build", str(SITE), "--out", "x", "--language", "de"], 2, "there is no language 'de'"),
        (["build", str(SITE / "nowhere"), "--out", "x"], 1, "cannot be read"),
    ],
)
def test_the_command_refuses(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CARETAKER_API_TOKEN", raising=False)
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, list(tmp_path.iterdir())) == (code, [])
    assert words in result.output


def test_titles_of_folders(site: Site) -> None:
    assert (folder_title(site, "zh"), folder_title(site, "en")) == ("守护 一号楼", "Caretaker Tower 1")
