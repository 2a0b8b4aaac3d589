"""Fixtures on real services, which the conftest files of the integration and fault tests import."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.local import stack as embedded
from infra.settings import PREFIX, USERS, Settings, settings
from pipelines.database import migrate
from tests.support.stack import Stack, end, own_settings


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running Kafka and ClickHouse, which are stopped at the end of the session."""
    config = own_settings(tmp_path_factory.mktemp("stack"))
    try:
        embedded.up(config, ("kafka", "clickhouse"))
        yield config
    finally:
        embedded.down(config)


@pytest.fixture(scope="session")
def new_database(services: Settings) -> Iterator[Callable[[], str]]:
    """A function that returns the name of a new, migrated database.

    A migration takes 1 to 2 s and leaves a processor idle half the time. So a thread creates the next database while a
    test uses the one before.
    """

    def create() -> str:
        name = f"{services.database}_{uuid.uuid4().hex[:10]}"
        migrate.run(services.model_copy(update={"database": name}).clickhouse("loader"))
        return name

    with ThreadPoolExecutor(1) as pool:
        upcoming = [pool.submit(create)]

        def take() -> str:
            upcoming.append(pool.submit(create))
            return upcoming.pop(0).result()

        yield take


@pytest.fixture
def stack(services: Settings, new_database: Callable[[], str], tmp_path: Path) -> Iterator[Stack]:
    """A topic and a database for the test, and a home folder for its processes."""
    database = new_database()
    names = {"database": database, "topic": f"test.{database}", "home": tmp_path}
    passwords = {f"{user}_password": SecretStr(getattr(services.secrets, user)) for user in USERS}
    test_stack = Stack(services.model_copy(update=names | passwords))
    yield test_stack
    test_stack.close()


@pytest.fixture
def in_environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the settings of the test's stack the settings of this process."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in stack.environment().items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def streaming(stack: Stack) -> Callable[[], object]:
    """A function: `with streaming() as process:` runs the stream during the block."""

    @contextmanager
    def running() -> Iterator["subprocess.Popen[bytes]"]:
        process = stack.stream_process()
        try:
            yield process
        finally:
            if process.poll() is None:
                end(process)

    return running
