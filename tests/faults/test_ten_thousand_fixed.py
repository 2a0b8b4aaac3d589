"""10,000 rejected messages repaired and sent again, twice: moved once, and the proof holds."""

import json
import time

import pytest

from tests.support.proof import require_proof
from tests.support.quarantine import command, report, send, states
from tests.support.stack import Stack, Streaming

COUNT = 10_000


@pytest.mark.timeout(900)
def test_ten_thousand_are_fixed_once(stack: Stack, streaming: Streaming) -> None:
    unbroken = {"breaker_window": 0, "breaker_run": 0}  # nothing but refused messages would hold the stream
    stack.settings = stack.settings.model_copy(update=unbroken)
    fix = ("fix", "--rule", "bad_value:severity", "--set", "severity=2")
    with streaming():
        send(stack, *(report(i, severity=9) for i in range(COUNT)))
        assert states(stack) == {"waiting": COUNT}
        seconds = {}
        for name, words, wanted in (
            ("dry run", (), COUNT),
            ("first", ("--apply",), COUNT),
            ("second", ("--apply",), 0),
        ):
            begun = time.monotonic()
            assert command(stack, *fix, *words)["done"] == wanted
            seconds[name] = round(time.monotonic() - begun, 2)
        stack.wait_until_loaded()
        seconds["first until loaded, with the second"] = round(time.monotonic() - begun, 2)
    print(json.dumps({"messages": COUNT, "seconds": seconds}))
    assert states(stack) == {"fixed": COUNT}
    assert stack.scalar("SELECT count() FROM events") == stack.scalar("SELECT uniqExact(event_id) FROM events") == COUNT
    assert stack.scalar("SELECT count() FROM quarantine FINAL") == COUNT
    require_proof(stack)
