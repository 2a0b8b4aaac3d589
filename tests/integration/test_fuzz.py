"""Hostile messages: each is answered, none stops anything, none is lost. `make fuzz` runs the long version.

GRIDSTREAM_FUZZ_SEED, GRIDSTREAM_FUZZ_CHECKED and GRIDSTREAM_FUZZ_STREAMED change the seed and the numbers of messages.
"""

import os
import re
import time
from collections import Counter
from itertools import islice

from infra.cli.data.check import preparation
from infra.settings import Settings
from pipelines.stream.check import check
from tests.support.fuzz import PLANTED, messages

SEED = int(os.environ.get("GRIDSTREAM_FUZZ_SEED", time.time_ns() % 1_000_000))
CHECKED = int(os.environ.get("GRIDSTREAM_FUZZ_CHECKED", 0))  # 0: as many as go into SECONDS
SECONDS = 40.0
_BATCH = 4096
ALONE = re.compile(
    rf"(?<![0-9]){PLANTED}(?![0-9])"
)  # glued to other digits it may be a number of a case: docs/privacy.md


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
            stored = f"{answer.text} {answer.extra} {answer.detail}"
            assert not ALONE.search(stored), (SEED, value, answer)
    print(f"{sum(counts.values()):,} messages: {dict(counts.most_common())}")
    assert len(counts) > 15, "the grammar reaches most reasons"
