"""A small correct load that tests can spoil, and `verify` over it."""

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.verify import VerifyReport, verify
from tests.support.world import HASH_KEY, World, make_world


@pytest.fixture
def world(stack: Any) -> World:
    world = make_world(stack.loader, stack.bootstrap, stack.topic)
    stack.loader.command("SYSTEM STOP MERGES events")  # what the tests double must stay double
    return world


@pytest.fixture
def check(stack: Any) -> Callable[..., VerifyReport]:
    target = stack.settings.clickhouse("engineer")
    return lambda **options: verify(stack.bootstrap, stack.topic, target, HASH_KEY, **options)
