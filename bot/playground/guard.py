"""Keeps other web pages out: host and origin checks against DNS rebinding, and the page's security headers."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """The host of a Host header without its port; empty if it is malformed."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def allowed(host: str, origin: str | None, site: str | None, extra: frozenset[str]) -> bool:
    """Whether a request with these Host, Origin and Sec-Fetch-Site headers comes from us."""
    name = host_name(host)
    if not (is_loopback(name) or name in extra):
        return False
    if site == "cross-site":
        return False
    return origin is None or urlsplit(origin).netloc == host


def guard(extra_hosts: frozenset[str]) -> Middleware:
    """The middleware; `extra_hosts` are names under which the server may be reached besides loopback."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if not allowed(request.host, headers.get("Origin"), headers.get("Sec-Fetch-Site"), extra_hosts):
            return web.json_response({"error": "Этот адрес не разрешён"}, status=403)
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers on every answer."""
    response.headers.update(HEADERS)
