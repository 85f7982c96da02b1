"""Every error as `application/problem+json` (RFC 9457), in the reader's language."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from facility.errors import BusError, CaretakerError, DecodeError, StoreError, TransitionError
from facility.points import Label
from rules.life.rows import NotFoundError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

TITLES: dict[int, Label] = {
    400: Label("请求无法理解", "The request can't be understood"),
    401: Label("需要登录", "A token is needed"),
    403: Label("没有权限", "Not allowed"),
    404: Label("没有找到", "Not found"),
    405: Label("不支持该方法", "Method not allowed"),
    409: Label("当前状态不允许", "Not possible in this state"),
    413: Label("请求过大", "The request is too large"),
    415: Label("不支持的内容类型", "Unsupported content type"),
    422: Label("参数有误", "Something in the request is wrong"),
    429: Label("请求过于频繁", "Too many tries"),
    500: Label("内部错误", "Our own fault"),
    503: Label("服务暂不可用", "Not available now"),
}
"""Status -> title. The type of a problem is `urn:caretaker:problem:<code>`, the code being stable."""

CODES = {
    400: "bad-request", 401: "token-needed", 403: "not-allowed", 404: "not-found", 405: "method-not-allowed",
    409: "illegal-transition", 413: "too-large", 415: "content-type", 422: "invalid", 429: "too-many-tries",
    500: "internal", 503: "unavailable",
}  # fmt: skip


class ApiError(CaretakerError):
    """A refusal with its status and a detail in both languages; `extra` goes into the problem document."""

    def __init__(
        self,
        status: int,
        detail: Label,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(detail.en)


def not_found(what: Label, name: str) -> ApiError:
    """404 for a thing with this name."""
    return ApiError(404, Label(f"没有{what.zh} {name!r}", f"There is no {what.en} {name!r}"))


@contextmanager
def refused() -> Iterator[None]:
    """A ValueError of a command becomes 422 with its text."""
    try:
        yield
    except ValueError as error:
        raise ApiError(422, Label(f"参数有误：{error}", str(error))) from error


def language_of(request: Request) -> str:
    """zh or en: what the request's Accept-Language puts first, English when it names neither."""
    best, rank = "en", -1.0
    for item in request.headers.get("accept-language", "")[:200].split(","):
        name, _, q = item.strip().partition(";q=")
        try:
            weight = float(q) if q else 1.0
        except ValueError:
            continue
        if name[:2].lower() in ("zh", "en") and weight > rank:
            best, rank = name[:2].lower(), weight
    return best


def problem(
    request: Request, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """The response. `extra` members stand beside the standard ones."""
    language = language_of(request)
    body = {
        "type": f"urn:caretaker:problem:{CODES.get(status, 'error')}",
        "title": TITLES.get(status, Label("错误", "Error")).to(language),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **extra,
    }
    given = {"content-language": language, "cache-control": "no-store", **(headers or {})}
    return Response(json.dumps(body, ensure_ascii=False), status, given, MEDIA_TYPE)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return problem(request, error.status, error.detail.to(language_of(request)), headers=error.headers, **error.extra)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(request, error.status_code, str(error.detail), headers=error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])[:300]}
        for item in jsonable_encoder(error.errors())[:20]
    ]
    return problem(request, 422, "; ".join(f"{item['where']}: {item['message']}" for item in found), errors=found)


async def _transition(request: Request, error: Exception) -> Response:
    assert isinstance(error, TransitionError)
    zh = f"{error.machine} 处于“{error.state}”状态，不能执行“{error.event}”"
    detail = Label(zh, f"{error.machine} is in state {error.state!r}: {error.event!r} is not possible there")
    return problem(
        request, 409, detail.to(language_of(request)), machine=error.machine, state=error.state, event=error.event
    )


async def _store(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    store = error.store if isinstance(error, StoreError) else "broker"
    detail = Label(f"存储 {store} 暂时不可用，请稍后再试", f"{store} does not answer now; try again soon")
    return problem(request, 503, detail.to(language_of(request)), headers={"retry-after": "5"}, store=store)


async def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotFoundError)
    what = {
        "alarm": Label("报警", "alarm"),
        "ticket": Label("工单", "ticket"),
        "command": Label("指令", "command"),
        "run": Label("联动记录", "linkage run"),
        "drill": Label("演习", "drill"),
        "impairment": Label("停用记录", "impairment"),
    }.get(error.kind, Label("", error.kind))
    return await _api_error(request, not_found(what, error.id[:64]))


async def _decode(request: Request, error: Exception) -> Response:
    assert isinstance(error, DecodeError)
    return problem(request, 422, error.reason)


async def _unexpected(request: Request, error: Exception) -> Response:
    # the text of the error stays in the log: it may hold what the caller must not see
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = Label("服务器出错，已记入日志", "Something broke on our side; it is in the log")
    return problem(request, 500, detail.to(language_of(request)))


def install(app: FastAPI) -> None:
    """Map every error of ours, of FastAPI and of Starlette onto a problem document."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TransitionError, _transition)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(BusError, _store)
    app.add_exception_handler(NotFoundError, _missing)
    app.add_exception_handler(DecodeError, _decode)
    app.add_exception_handler(Exception, _unexpected)
