"""The one module that talks to Grafana: folders, data sources, boards. Pushing twice changes nothing.

grafana-api is synchronous; whoever has an event loop calls `push` in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dashboards.board import uid
from dashboards.panels import Json
from facility.errors import CaretakerError

TIMEOUT = 20.0
"""Seconds for one call."""


class PushError(CaretakerError):
    """Grafana can't be reached or refused. The message says what was being done and never holds a token."""


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was pushed: `what` is folder, data source or board; `how` is created, updated or unchanged."""

    what: str
    name: str
    how: str


class Grafana:
    """A Grafana at a URL, with a service account's token (role Admin: it makes data sources)."""

    def __init__(self, url: str, token: str) -> None:
        try:
            from grafana_api.grafana_face import GrafanaFace
        except ImportError as error:
            raise PushError("pushing needs grafana-api: pip install 'caretaker-building[grafana]'") from error
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PushError(f"{url!r} is no http:// or https:// address")
        path = parts.path.strip("/")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._api = GrafanaFace(
            auth=token,
            host=host,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            timeout=TIMEOUT,
        )

    def folder(self, key: str, title: str) -> Done:
        """Have a folder with this uid and title."""
        found = self._find(f"/folders/{key}", "folder", title)
        if found is None:
            self._call("POST", "/folders", {"uid": key, "title": title}, f"folder {title}")
            return Done("folder", title, "created")
        if found.get("title") == title:
            return Done("folder", title, "unchanged")
        self._call("PUT", f"/folders/{key}", {"title": title, "overwrite": True}, f"folder {title}")
        return Done("folder", title, "updated")

    def source(self, source: Mapping[str, Any]) -> Done:
        """Have a data source with this uid. Its secrets can't be read back, so it is always written."""
        name = str(source["name"])
        path = f"/datasources/uid/{source['uid']}"
        if self._find(path, "data source", name) is None:
            self._call("POST", "/datasources", dict(source), f"data source {name}")
            return Done("data source", name, "created")
        self._call("PUT", path, dict(source), f"data source {name}")
        return Done("data source", name, "updated")

    def board(self, board: Json, folder: str) -> Done:
        """Have this board in a folder."""
        name = f"{board['title']} ({board['uid']})"
        found = self._find(f"/dashboards/uid/{board['uid']}", "board", name)
        if found and _same(found.get("dashboard"), board) and (found.get("meta") or {}).get("folderUid") == folder:
            return Done("board", name, "unchanged")
        body = {"dashboard": board | {"id": None}, "folderUid": folder, "overwrite": True, "message": "caretaker"}
        self._call("POST", "/dashboards/db", body, f"board {name}")
        return Done("board", name, "updated" if found else "created")

    def _find(self, path: str, what: str, name: str) -> Json | None:
        """What is there, or None."""
        from grafana_api.grafana_api import GrafanaClientError

        try:
            return self._call("GET", path, None, f"{what} {name}")
        except PushError as error:
            cause = error.__cause__
            if isinstance(cause, GrafanaClientError) and cause.status_code == 404:
                return None
            raise

    def _call(self, method: str, path: str, body: Json | None, doing: str) -> Json:
        import requests
        from grafana_api.grafana_api import GrafanaException

        try:
            answer: Json = getattr(self._api.api, method)(path, json=body)
        except GrafanaException as error:
            raise PushError(f"{doing}: Grafana says {error.status_code}: {error.message}") from error
        except (requests.RequestException, ValueError) as error:
            raise PushError(f"{doing}: Grafana can't be reached: {type(error).__name__}") from error
        return answer


def push(
    grafana: Grafana,
    site: str,
    boards: Mapping[str, Json],
    *,
    folders: Mapping[str, str],
    sources: Sequence[Mapping[str, Any]],
) -> list[Done]:
    """Data sources, then a folder per language (`folders`: language -> title), then the boards. PushError at the first
    refusal; whatever was pushed before it stays, and pushing again goes on."""
    done = [grafana.source(source) for source in sources]
    for language, title in folders.items():
        key = uid(site, "folder", language)
        done.append(grafana.folder(key, title))
        done += [grafana.board(board, key) for name, board in boards.items() if name.startswith(f"{language}/")]
    return done


def _same(there: object, board: Json) -> bool:
    """Whether Grafana holds this very board; it numbers boards and versions itself."""
    if not isinstance(there, dict):
        return False
    own = ("id", "version")
    return {name: value for name, value in there.items() if name not in own} == {
        name: value for name, value in board.items() if name not in own
    }
