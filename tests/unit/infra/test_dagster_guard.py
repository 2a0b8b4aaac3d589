"""Dagster's web server, as the supervisor starts it, answers its own pages and no page of another site."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from infra.local.fetch.java import Java
from infra.local.services import dagster
from infra.local.services.dagster_guard import Guard
from infra.local.services.programs import programs
from infra.local.supervise.environment import environment
from infra.settings import Settings

JAVA = Java(Path("/opt/java"), "17")
MUTATION = "mutation { setNuxSeen }"
JSON = {"Content-Type": "application/json"}
BODY = json.dumps({"query": MUTATION})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the web server, started by the supervisor's command. It has no code server."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), dagster_port=_free_port())
    dagster.prepare(settings)
    (program,) = (part for part in programs(settings, JAVA) if part.name == "dagster-webserver")
    process = subprocess.Popen(program.command(), env=environment(settings, JAVA))
    try:
        deadline = time.time() + 120
        while not dagster.answers(settings):
            assert process.poll() is None
            assert time.time() < deadline
            time.sleep(0.2)
        yield f"127.0.0.1:{settings.dagster_port}"
    finally:
        process.terminate()
        process.wait(60)


def test_its_own_pages_work(server: str) -> None:
    page = httpx.get(f"http://{server}/", trust_env=False)
    assert (page.status_code, page.headers["x-frame-options"]) == (200, "SAMEORIGIN")
    assert "text/html" in page.headers["content-type"]
    own = {"Origin": f"http://{server}", "Sec-Fetch-Site": "same-origin"}
    for headers in (JSON | own, {"Content-Type": "application/json; charset=utf-8"}):  # the second: a program
        answer = httpx.post(f"http://{server}/graphql", content=BODY, headers=headers, trust_env=False)
        assert answer.json()["data"]["setNuxSeen"]
    playground = httpx.get(f"http://{server}/graphql", headers={"Accept": "text/html"}, trust_env=False)
    assert playground.status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert httpx.get(f"http://{server}/assets", headers=link, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Content-Type": "text/plain"}, 415),
        ("POST", {"Content-Type": "text/plain; application/json"}, 415),  # Dagster looks for the text anywhere
        ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", {"Content-Type": "application/graphql"}, 415),
        ("POST", {}, 415),
        ("GET", {}, 405),
        ("POST", JSON | {"Host": "rebound.example:3000"}, 403),
        ("POST", JSON | {"Host": "127.0.0.1.rebound.example"}, 403),
        ("POST", JSON | {"Host": "192.168.0.7:3000"}, 403),
        ("POST", JSON | {"Origin": "http://other.example"}, 403),
        ("POST", JSON | {"Origin": "http://127.0.0.1:1"}, 403),  # another port is another program
        ("POST", JSON | {"Origin": "null"}, 403),
        ("POST", JSON | {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", JSON | {"Sec-Fetch-Site": "same-site"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Accept": "text/html"}, 403),
        (
            "GET",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            403,
        ),
    ],
)
def test_what_another_site_can_send_is_refused(server: str, method: str, headers: dict[str, str], status: int) -> None:
    query: dict[str, Any] = {"params": {"query": MUTATION}} if method == "GET" else {"content": BODY}
    answer = httpx.request(method, f"http://{server}/graphql", headers=headers, trust_env=False, **query)
    assert (answer.status_code, answer.text.count("\n")) == (status, 1)
    assert answer.text.startswith("拒绝 refused: ")
    assert "setNuxSeen" not in answer.text


def test_websockets_of_another_site_are_refused(server: str) -> None:
    address = f"ws://{server}/graphql"
    with connect(address, origin=f"http://{server}", subprotocols=["graphql-ws"], proxy=None) as own:  # type: ignore[arg-type,list-item]
        own.send(json.dumps({"type": "connection_init"}))
        assert json.loads(own.recv(30))["type"] == "connection_ack"
    for origin in ("http://other.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=origin, subprotocols=["graphql-ws"], proxy=None)  # type: ignore[arg-type,list-item]
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("listens", "host", "allowed"),
    [
        ("127.0.0.1", "localhost:3000", True),
        ("127.0.0.1", "[::1]:3000", True),
        ("10.0.0.5", "10.0.0.5:3000", True),
        ("10.0.0.5", "10.0.0.6:3000", False),
        ("grid.example", "GRID.example", True),
        ("0.0.0.0", "10.0.0.6:3000", True),  # noqa: S104
        ("0.0.0.0", f"{socket.gethostname()}:3000", True),  # noqa: S104
        ("0.0.0.0", "rebound.example:3000", False),  # noqa: S104
        ("::", "[fd00::7]:3000", True),
        ("127.0.0.1", "[", False),
        ("127.0.0.1", "", False),
    ],
)
def test_hosts(listens: str, host: str, allowed: bool) -> None:
    async def app(*_: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    assert (Guard(app, listens).refusal(scope) is None) == allowed


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost", "http://localhost:80", True),
        ("localhost:443", "https://localhost", True),  # behind a proxy that adds TLS
        ("localhost", "http://localhost:3000", False),
        ("localhost", "chrome-extension://localhost", False),
        ("localhost", "http://localhost:x", False),
    ],
)
def test_origins(host: str, origin: str, allowed: bool) -> None:
    async def app(*_: Any) -> None: ...

    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    scope = {"type": "websocket", "path": "/graphql", "headers": headers}
    assert (Guard(app, "127.0.0.1").refusal(scope) is None) == allowed
