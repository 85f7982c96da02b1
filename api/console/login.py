"""The login page: plain HTML without a script, so that it works where nothing else does and costs nothing."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from api.console.texts import say
from facility.points import Label

_FAILED = {"401": "login_wrong", "429": "login_many", "503": "login_down"}


def login_html(site: Label, language: str, *, style: str, failed: str = "", onward: str = "") -> str:
    """The page. `style` is the address of the style sheet, `failed` the status of the try before, `onward` where to
    go after."""
    other = "en" if language == "zh" else "zh"
    message = f'<p class="failed" role="alert">{say(_FAILED[failed], language)}</p>' if failed in _FAILED else ""
    here = quote(f"/console/login?onward={quote(onward[:200], safe='')}", safe="")
    name = escape(site.to(language))
    return f"""<!doctype html>
<html lang="{"zh-CN" if language == "zh" else "en"}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{say("login", language)} · {name}</title><link rel="icon" href="/console/favicon.ico">
<link rel="stylesheet" href="{style}"></head>
<body class="login-page"><main>
<form method="post" action="/session">
<h1>{name}</h1>
<p class="motto">Caretaker 守护 · {say("motto", language)}</p>
{message}
<label>{say("name", language)}
<input name="name" autocomplete="username" autocapitalize="none" maxlength="64" required autofocus></label>
<label>{say("password", language)}
<input name="password" type="password" autocomplete="current-password" maxlength="256" required></label>
<input type="hidden" name="onward" value="{escape(onward[:200], quote=True)}">
<button type="submit">{say("login", language)}</button>
<a href="/session/language?to={other}&amp;onward={here}" lang="{other}">{say("other_language", language)}</a>
</form></main></body></html>"""
