"""Hostile messages through the real stream. Known to fail: of messages with one id, the proof may call one lost."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from pipelines.services.publish import Publisher
from tests.integration.test_fuzz import SEED
from tests.support.fuzz import messages
from tests.support.proof import require_proof
from tests.support.stack import Stack

STREAMED = int(os.environ.get("GRIDSTREAM_FUZZ_STREAMED", 5_000))


def test_the_stream_takes_all_of_them(stack: Stack, streaming: Callable[[], AbstractContextManager[object]]) -> None:
    """As many rows as messages, and the proof holds. The breaker is off: most of them are bad on purpose."""
    print(f"\nseed {SEED}")
    with Publisher(stack.bootstrap, stack.topic) as publisher:
        for number, value in enumerate(messages(SEED, STREAMED)):
            publisher.send(value, b"%d" % number)
    stack.settings = stack.settings.model_copy(update={"breaker_window": 0, "breaker_run": 0})
    with streaming():
        stack.wait_until_loaded(600)
    finished = (
        "SELECT DISTINCT kafka_partition, first_offset, good, quarantined, duplicates FROM ledger WHERE phase = 'after'"
    )
    stored = stack.scalar(f"SELECT sum(good + quarantined + duplicates) FROM ({finished})")
    assert stored == STREAMED
    assert stack.scalar("SELECT count() FROM quarantine WHERE reason = 'unforeseen'") == 0
    require_proof(stack)
