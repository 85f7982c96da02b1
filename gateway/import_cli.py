"""`caretaker import ha-discovery`: devices that announce themselves to Home Assistant, as profiles and devices."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from facility.catalog import load_catalog
from facility.config import load_site
from facility.errors import BusError, ConfigError, Problem
from facility.mqtt_bus import Broker, MqttBus
from facility.names import unknown
from gateway.arguments import duration, host_port
from gateway.discovery.collect import Configs, listen, read_dump
from gateway.discovery.mapping import Mapper
from gateway.discovery.table import shipped_table
from gateway.discovery.writing import REPORT, Written, write

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Bring devices in from elsewhere.")


@app.callback()
def _commands() -> None:
    """Bring devices in from elsewhere / 从其他系统导入设备."""


@app.command("ha-discovery")
def ha_discovery(  # noqa: PLR0913, PLR0917 - the command line names every one
    out: Annotated[Path, typer.Option(help="folder to write into / 输出目录", file_okay=False)],
    broker: Annotated[str, typer.Option(help="HOST[:PORT] of the MQTT broker / MQTT 服务器")] = "",
    file: Annotated[
        Path | None, typer.Option(help="a dump instead of a broker / 读取转储文件", exists=True, dir_okay=False)
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="site whose broker is asked / 使用站点的 MQTT 设置", exists=True, file_okay=False),
    ] = None,
    username: Annotated[str, typer.Option(help="at the broker / 用户名")] = "",
    password_env: Annotated[str, typer.Option(help="variable that holds the password / 密码所在的环境变量")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="encrypt / 加密连接")] = False,
    prefix: Annotated[str, typer.Option(help="of the discovery topics / 发现主题前缀")] = "homeassistant",
    for_: Annotated[str, typer.Option("--for", help="how long to listen / 监听时长")] = "10s",
    class_: Annotated[str, typer.Option("--class", help="write all as this class / 指定资产类别")] = "",
    stale_after: Annotated[str, typer.Option(help="for devices that say none, such as 25h / 默认失效时间")] = "",
    force: Annotated[bool, typer.Option("--force", help="overwrite files / 覆盖已有文件")] = False,
) -> None:
    """Write profiles and devices from Home Assistant's MQTT discovery / 由 Home Assistant 发现消息生成设备."""
    try:
        length = duration("--for", for_)
        silence = duration("--stale-after", stale_after) if stale_after else None
        catalog, table = load_catalog(folder), shipped_table()
        if class_ and class_ not in table.classes:
            raise ConfigError([Problem("--class", 0, "", unknown("class of the importer", class_, table.classes))])
        prefix = prefix.strip("/")
        if file:
            configs, source = read_dump(file, prefix), str(file)
        else:
            found = _broker(broker, folder, username, password_env, tls=tls)
            configs, source = asyncio.run(_listen(found, prefix, length)), f"{found.host}:{found.port}"
        entities, refused = configs.entities()
        devices = Mapper(table, catalog, class_, silence).devices(entities)
        written = write(devices, refused, source)
        _save(out, written, force=force)
    except (ConfigError, BusError, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(written.files[REPORT], nl=False)
    typer.echo(f"\n{_summary(out, configs, written)}")
    if not written.devices:
        raise typer.Exit(1)


def _summary(out: Path, configs: Configs, written: Written) -> str:
    if not configs.payloads and not configs.refused:
        return f"no config topic under {configs.prefix}/; is discovery on, and are its messages retained?"
    if not written.devices:
        return f"nothing could be mapped; {out / REPORT} says why"
    return (
        f"{written.devices} devices, {written.points} points, {written.profiles} profiles in {out}. Review them, put "
        f"profiles/ into the site folder, add what you want of devices.yaml and assets.yaml, then `caretaker check`"
    )


def _save(out: Path, written: Written, *, force: bool) -> None:
    """Write all files, or none when one is there already; FileExistsError names them."""
    there = [name for name in written.files if (out / name).exists()]
    if there and not force:
        raise FileExistsError(f"{out} has {', '.join(there)} already; --force overwrites, or name another folder")
    for name, text in written.files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _broker(address: str, folder: Path | None, username: str, password_env: str, *, tls: bool) -> Broker:
    """Where to listen: the address that is given, else the site's broker; ConfigError when there is neither."""
    password = os.environ.get(password_env) if password_env else None
    if password_env and password is None:
        raise ConfigError([Problem("--password-env", 0, "", f"the environment variable {password_env} is not set")])
    if address:
        place = host_port(address, 8883 if tls else 1883)
        if place is None:
            raise ConfigError([Problem("--broker", 0, "", f"{address!r} is no HOST or HOST:PORT")])
        return Broker(*place, username or None, password, tls)
    if folder is None:
        raise ConfigError([Problem("--broker", 0, "", "name a broker, a --file, or a site --folder")])
    found = load_site(folder)[0].settings.broker
    if found.embedded:
        raise ConfigError([Problem(str(folder / "site.yaml"), 0, "broker", "is embedded; name one by --broker")])
    return Broker(found.host, found.port, username or found.username, password or found.password, found.tls or tls)


async def _listen(broker: Broker, prefix: str, length: float) -> Configs:
    try:
        async with MqttBus(broker, client_id=f"caretaker-import-{os.getpid()}") as bus:
            return await listen(bus, prefix, length)
    except BusError as error:
        raise BusError(f"broker {broker.host}:{broker.port}: {error}") from error
