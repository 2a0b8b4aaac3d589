"""A guard in front of Dagster's web server: refuses what only a page of another site would send.

Dagster's web server has no login and does not check where a request comes from. It runs GraphQL
mutations sent by GET or as `text/plain`, which a page of any site may send without a preflight, and
it answers to any host name (DNS rebinding). So a page that an engineer visits could launch runs.

The guard protects against pages in a browser, not against programs on the network.
"""

import socket
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with the setting, not bound
_OWN_SITES = ("same-origin", "none")  # none: a person opened the address
_POLICY_VIOLATION = 1008  # close code of RFC 6455
_DEFAULT_PORTS = {"http": 80, "https": 443}

Refusal = tuple[HTTPStatus, str]


class Guard:
    """An ASGI application that passes allowed requests on to `app`.

    host: the address that the server listens on. With a wildcard, the name of this machine and
    every IP address are allowed as host; a rebound name is neither.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._any_address = host in _WILDCARDS
        self._names = {"localhost", host.lower(), *((socket.gethostname().lower(),) if self._any_address else ())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self.refusal(scope)) is None:
            await self._app(scope, receive, _without_frames(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})  # before accept: the server answers 403
        else:
            status, reason = refusal
            await PlainTextResponse(f"拒绝 refused: {reason}\n", status)(scope, receive, send)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Status and reason for which a request is refused; None if it is allowed."""
        headers = Headers(scope=scope)
        return self._foreign_host(headers) or _foreign_page(scope, headers) or _unsafe_content(scope, headers)

    def _foreign_host(self, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and self._is_own(_host_name(f"//{hosts[0]}")):
            return None
        return HTTPStatus.FORBIDDEN, "主机名不是本服务的 the Host header does not name this server"

    def _is_own(self, name: str | None) -> bool:
        if name in self._names:
            return True
        try:
            address = ip_address(name or "")
        except ValueError:
            return False
        return self._any_address or address.is_loopback


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _foreign_page(scope: Scope, headers: Headers) -> Refusal | None:
    """A browser names the site of the page that sends a request: `Origin` for POST and websockets, `Sec-Fetch-Site`
    for all requests to HTTPS and loopback addresses. A link from another site to a page is allowed."""
    host = headers["host"]
    if not all(_same_origin(origin, host) for origin in headers.getlist("origin")):
        return HTTPStatus.FORBIDDEN, "请求来自其他网站的网页 the request comes from a page of another site (Origin)"
    if all(site in _OWN_SITES for site in headers.getlist("sec-fetch-site")) or _follows_link(scope, headers):
        return None
    return HTTPStatus.FORBIDDEN, "请求来自其他网站的网页 the request comes from a page of another site (Sec-Fetch-Site)"


def _same_origin(origin: str, host: str) -> bool:
    try:
        page = urlsplit(origin)
        server = urlsplit(f"{page.scheme}://{host}")
        default = _DEFAULT_PORTS.get(page.scheme)
        return (
            default is not None
            and page.hostname == server.hostname
            and (page.port or default) == (server.port or default)
        )
    except ValueError:
        return False


def _follows_link(scope: Scope, headers: Headers) -> bool:
    """Whether a person opens a page in a tab, not in a frame of another page."""
    wanted = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope["type"] == "http" and scope["method"] == "GET" and wanted == ("navigate", "document")


def _unsafe_content(scope: Scope, headers: Headers) -> Refusal | None:
    """A page of another site can send JSON only after a preflight, which Dagster does not answer."""
    if scope["type"] != "http":
        return None
    if scope["method"] not in ("GET", "HEAD"):
        if _media_type(headers) == "application/json":
            return None
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "内容须为 the content must be application/json"
    # Dagster answers GET with its query page if HTML is accepted, and runs the query otherwise.
    if scope["path"].rstrip("/") == "/graphql" and "text/html" not in headers.get("accept", ""):
        return HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL 只收 accepts POST with application/json only"
    return None


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _without_frames(send: Send) -> Send:
    """Forbid other sites to show the pages in a frame, where they could lead a person to click."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return wrapped
