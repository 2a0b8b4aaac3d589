"""Fixtures on real services, for the integration and the fault tests: their conftest files import them."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.local import stack as embedded
from infra.settings import Settings, settings
from tests.support.stack import Stack, end, own_settings


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running Kafka and ClickHouse, taken down at the end."""
    now = own_settings(tmp_path_factory.mktemp("stack"))
    try:
        embedded.up(now, ("kafka", "clickhouse"))
        yield now
    finally:
        embedded.down(now)


@pytest.fixture
def stack(services: Settings, tmp_path: Path) -> Iterator[Stack]:
    unique = uuid.uuid4().hex[:10]
    names = {"database": f"{services.database}_{unique}", "topic": f"test.{unique}", "home": tmp_path}
    secrets = {
        f"{user}_password": getattr(services.secrets, user) for user in ("engineer", "loader", "analyst", "board")
    }
    made = Stack(services.model_copy(update=names | _as_secrets(secrets)))
    yield made
    made.close()


def _as_secrets(values: dict[str, str]) -> dict[str, object]:
    return {name: SecretStr(value) for name, value in values.items()}


@pytest.fixture
def in_environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's stack as the settings of this process."""
    for name in [name for name in os.environ if name.startswith("GRIDSTREAM_")]:
        monkeypatch.delenv(name)
    for name, value in stack.environment().items():
        if name.startswith("GRIDSTREAM_"):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def streaming(stack: Stack) -> Callable[[], object]:
    """`with streaming() as process:` runs the stream for the block."""

    @contextmanager
    def running() -> Iterator["subprocess.Popen[bytes]"]:
        process = stack.stream_process()
        try:
            yield process
        finally:
            if process.poll() is None:
                end(process)

    return running
