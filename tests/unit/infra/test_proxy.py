"""A proxy in the environment must not receive calls to this machine."""

import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from infra.proxy import loopback_without_proxy
from pipelines.services.clickhouse import ClickHouse, connect


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A port of this machine, and what was asked for there: `/path`, or `http://host/path` if asked as a proxy."""
    targets: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            targets.append(self.path)
            self.send_response(500)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server expects

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield http_server.server_port, targets
        http_server.shutdown()


@pytest.mark.parametrize("excluded", [None, "example.com"])
def test_no_client_asks_a_proxy_for_this_machine(
    excluded: str | None, server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, targets = server
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    environment = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), f"http://127.0.0.1:{port}")
    environment |= {"no_proxy": excluded} if excluded else {}
    for name, value in (environment | loopback_without_proxy(environment)).items():
        monkeypatch.setenv(name, value)
    for host in ("127.0.0.1", "localhost"):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{host}:{port}/urllib", timeout=5)
        httpx.get(f"http://{host}:{port}/httpx", timeout=5)
        with pytest.raises(Exception):  # noqa: B017 - this is not ClickHouse
            connect(ClickHouse(f"http://{host}:{port}", "engineer", ""))
    assert len(targets) >= 6
    assert [target for target in targets if not target.startswith("/")] == []


def test_addresses_that_are_excluded_already_stay_excluded() -> None:
    assert loopback_without_proxy({"NO_PROXY": "a.cn, localhost"})["no_proxy"] == "a.cn,localhost,127.0.0.1,::1"
    assert loopback_without_proxy({"no_proxy": "*"}) == {"no_proxy": "*", "NO_PROXY": "*"}
