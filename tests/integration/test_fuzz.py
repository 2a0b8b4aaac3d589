"""Hostile messages: each is answered, none stops anything, none is lost. `make fuzz` runs the long version.

GRIDSTREAM_FUZZ_SEED, GRIDSTREAM_FUZZ_CHECKED and GRIDSTREAM_FUZZ_STREAMED change the seed and the numbers of messages.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice

from infra.cli.data.check import preparation
from infra.settings import Settings
from pipelines.services.publish import Publisher
from pipelines.stream.check import check
from tests.support.fuzz import PLANTED, messages
from tests.support.proof import require_proof
from tests.support.stack import Stack

SEED = int(os.environ.get("GRIDSTREAM_FUZZ_SEED", time.time_ns() % 1_000_000))
CHECKED = int(os.environ.get("GRIDSTREAM_FUZZ_CHECKED", 0))  # 0: as many as go into SECONDS
STREAMED = int(os.environ.get("GRIDSTREAM_FUZZ_STREAMED", 5_000))
SECONDS = 40.0
_BATCH = 4096


def test_every_message_is_answered() -> None:
    print(f"\nseed {SEED}")
    plan, source, counts = preparation(Settings(_env_file=None)), messages(SEED, CHECKED or 10**9), Counter[str]()
    deadline = time.monotonic() + SECONDS
    while (CHECKED or time.monotonic() < deadline) and (batch := list(islice(source, _BATCH))):
        answers = check(batch, 1, plan)
        assert [answer.line for answer in answers] == list(range(1, len(batch) + 1)), f"seed {SEED}"
        for value, answer in zip(batch, answers, strict=True):
            counts.update(answer.reasons[:1] or [answer.outcome])
            assert answer.outcome == "event" or answer.reasons, (SEED, value)
            assert "unforeseen" not in answer.reasons, (SEED, value, answer.detail)
            assert PLANTED not in f"{answer.text} {answer.extra} {answer.detail}", (SEED, value, answer)
    print(f"{sum(counts.values()):,} messages: {dict(counts.most_common())}")
    assert len(counts) > 15, "the grammar reaches most reasons"


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
