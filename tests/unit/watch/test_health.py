"""The verdict on the stream: every condition, the thresholds, and what it says to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from pipelines.errors import TransientFault, UserFault
from pipelines.stream.hold import HOW_TO_RESUME, Held
from pipelines.stream.state import Condition, StreamState
from pipelines.watch.figures import Lag, LedgerFigures
from pipelines.watch.health import LATE_SECONDS, Health, Observation, ProblemId, judge

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
YOUNG, OLD = LATE_SECONDS - 1, LATE_SECONDS + 1
FIGURES = LedgerFigures(
    batch_id=7, batch_rows=50, batch_age_seconds=OLD, rows_per_second=0.0, good=90, quarantined=8, duplicates=2,
    hour_quarantined=0, hour_rows=100,
)  # fmt: skip


def state(condition: Condition, age: float = 3600, **other: Any) -> StreamState:
    return StreamState(condition, NOW - timedelta(seconds=age), pid=4711, **other)


def seen(condition: Condition | None = "running", age: float = 3600, **other: Any) -> Observation:
    """A live process whose state is `age` seconds old, nothing waits, all services answer."""
    reason = other.pop("reason", "")
    written = state(condition, age, reason=reason) if condition else None
    return replace(Observation(NOW, written, alive=True, lag=Lag(), ledger=FIGURES), **other)


def ids(health: Health) -> list[tuple[str, str]]:
    return [(problem.id, problem.severity) for problem in health.problems]


def test_an_idle_stream_is_well() -> None:
    health = judge(seen())
    assert (health.ok, health.up, health.severity) == (True, True, None)


WAITING = Lag({0: 1000, 1: 10}, OLD)
CASES: list[tuple[str, Observation, list[tuple[str, str]], bool]] = [
    ("never started", Observation(NOW), [("never_started", "error")], False),
    ("never started, Kafka has messages", Observation(NOW, lag=WAITING), [("never_started", "error")], False),
    ("runs on another machine", seen(None, alive=False), [], False),
    ("another machine's stream is stuck", seen(None, alive=False, lag=WAITING), [("stalled", "error")], False),
    ("starting", seen("starting", YOUNG, lag=WAITING), [], False),
    ("starting for too long", seen("starting", OLD), [("slow_start", "error")], False),
    ("messages just came", seen(lag=Lag({0: 5}, YOUNG)), [], True),
    ("messages wait, nothing is loaded", seen(lag=WAITING), [("stalled", "error")], True),
    ("nothing was ever loaded", seen(lag=WAITING, ledger=None), [("stalled", "error")], True),
    ("messages wait, the stream has just started", seen("running", YOUNG, lag=WAITING), [], True),
    ("messages wait, some were just loaded", seen(lag=WAITING, ledger=replace(FIGURES, batch_age_seconds=1)), [], True),
    ("waiting for a moment", seen("waiting", 1, lag=Lag({0: 5}, YOUNG)), [("waiting", "warning")], True),
    ("waiting for long", seen("waiting", 1, lag=WAITING), [("waiting", "error")], True),
    ("waiting, and nobody knows how long", seen("waiting", 1, lag=None), [("waiting", "error")], True),
    ("defect", seen("defect", 1, lag=WAITING), [("defect", "error")], True),
    ("held", seen("held", lag=WAITING), [("held", "error")], True),
    ("failed", seen("failed", alive=False, lag=WAITING), [("failed", "error")], False),
    ("stopped", seen("stopped", alive=False, lag=WAITING), [("stopped", "error")], False),
    ("process is gone", seen(alive=False, lag=WAITING), [("dead", "error")], False),
    ("process is gone while held", seen("held", alive=False), [("dead", "error")], False),
    ("service is down", seen(lag=None, ledger=None, fault=TransientFault("x")), [("unreachable", "error")], True),
    ("service is down, the stream waits", seen("waiting", lag=None, fault=TransientFault("x")),
     [("unreachable", "error"), ("waiting", "error")], True),
    ("no topic", seen(lag=None, ledger=None, fault=UserFault("x")), [("misconfigured", "error")], True),
    ("no service was asked", seen(lag=None, ledger=None), [], True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("observation", "problems", "up"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_every_condition(observation: Observation, problems: list[tuple[str, str]], up: bool) -> None:
    health = judge(observation)
    assert (ids(health), health.up, health.ok) == (problems, up, not problems)


def test_the_cases_cover_every_problem_and_every_condition() -> None:
    named = {name for _, _, problems, _ in CASES for name, _ in problems} | {"behind", "refused", "isolated"}
    assert named == set(get_args(ProblemId))
    conditions = {observation.state.condition for _, observation, _, _ in CASES if observation.state}
    assert conditions == set(get_args(Condition))


@pytest.mark.parametrize(("messages", "behind"), [(100 * LATE_SECONDS, False), (100 * LATE_SECONDS + 1, True)])
def test_a_backlog_is_a_problem_when_what_arrives_now_will_be_late_too(messages: float, behind: bool) -> None:
    loading = replace(FIGURES, batch_age_seconds=1, rows_per_second=100.0)
    health = judge(seen(lag=Lag({0: int(messages)}, OLD), ledger=loading))
    assert ids(health) == ([("behind", "warning")] if behind else [])


@pytest.mark.parametrize(
    ("rejected", "of", "warns"), [(11, 11, True), (9, 9, False), (10, 50, True), (10, 51, False), (0, 0, False)]
)
def test_many_rejected_messages_are_a_warning_with_their_counts(rejected: int, of: int, warns: bool) -> None:
    health = judge(seen(ledger=replace(FIGURES, hour_quarantined=rejected, hour_rows=of)))
    assert ids(health) == ([("refused", "warning")] if warns else [])
    assert health.severity == ("warning" if warns else None)
    if warns:
        assert f"{rejected} of the last hour's {of} messages were rejected" in health.problems[0].what


def test_errors_come_first() -> None:
    refused = replace(FIGURES, hour_quarantined=50)
    assert ids(judge(seen("waiting", lag=Lag(), ledger=refused))) == [("waiting", "warning"), ("refused", "warning")]
    assert ids(judge(seen("held", ledger=refused))) == [("held", "error"), ("refused", "warning")]


def test_the_cause_is_named_and_what_to_do() -> None:
    held = Held(1, 1000, 1499, 500, 250, {"not_json": 240})
    cases = {
        "not_json 240": (replace(seen(), state=state("held", held=(held,))), HOW_TO_RESUME),
        "Kafka deleted messages": (seen("failed", reason="Kafka deleted messages"), "gridstream up"),
        "ZeroDivisionError": (seen("defect", reason="ZeroDivisionError: x"), "gridstream restart --only stream"),
        "ClickHouse does not answer": (
            seen("waiting", lag=None, reason="ClickHouse does not answer"),
            "gridstream logs",
        ),
        "process 4711": (seen(alive=False), "gridstream logs stream"),
        "1,010 条消息": (seen(lag=WAITING), "gridstream logs stream"),
    }
    for what, (observation, do) in cases.items():
        (problem,) = judge(observation).problems
        assert what in problem.what
        assert do in problem.do


def test_every_text_is_in_both_languages() -> None:
    for _, observation, _, _ in CASES:
        for problem in judge(observation).problems:
            assert not problem.what.isascii(), problem
            assert any(word.isascii() and word.isalpha() for word in problem.what.split()), problem


def test_a_message_that_the_program_could_not_process_is_an_alarm() -> None:
    figures = replace(FIGURES, hour_isolated=2, batch_age_seconds=1.0)
    [problem] = judge(seen(lag=Lag(), ledger=figures)).problems
    assert (problem.id, problem.severity) == ("isolated", "warning")
    assert "2 of the last hour's messages" in problem.what
    assert "--reason unforeseen" in problem.do
