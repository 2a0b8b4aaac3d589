"""The jobs that work on rejected messages: their configuration, and that they begin as a dry run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dagster_project.definitions import defs
from dagster_project.quarantine import FixConfig, OnError, ReplayConfig, SelectionConfig, SettleConfig
from pipelines.errors import UserFault
from pipelines.quarantine.replay import Policy


def test_nothing_is_done_unless_asked_for() -> None:
    assert SelectionConfig().dry_run
    assert FixConfig(assign=["severity=2"]).dry_run
    assert ReplayConfig().policy is OnError.skip
    assert SettleConfig().dry_run
    assert not SettleConfig().give_up


def test_every_policy_can_be_chosen() -> None:
    assert {Policy(choice.value) for choice in OnError} == set(Policy)


def test_times_are_of_shanghai_unless_they_say() -> None:
    config = SelectionConfig(since="2026-11-01T08:00", until="2026-11-02T00:00+00:00", rule="unknown_grid")
    selection = config.selection("t")
    assert (selection.since, selection.until) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    assert (selection.topic, selection.rule) == ("t", "unknown_grid")


@pytest.mark.parametrize("config", [{"reason": "no_such"}, {"since": "yesterday"}])
def test_a_mistake_in_choosing_is_the_users(config: dict[str, Any]) -> None:
    with pytest.raises(UserFault):
        SelectionConfig(**config).selection("t")


def test_claims_of_a_sender_that_may_be_at_work_are_not_settled() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 10"):
        SettleConfig(older_than=9)


@pytest.mark.parametrize("config", [{}, {"patch": "[]", "assign": ["a=1"]}, {"patch": "{"}, {"assign": ["a"]}])
def test_a_repair_is_one_of_the_two(config: dict[str, Any]) -> None:
    with pytest.raises(UserFault):
        FixConfig(**config).repair()


def test_a_mistake_fails_the_run_at_once_in_one_line() -> None:
    config = {"ops": {"fix_waiting": {"config": {"reason": "bad_value"}}}}
    result = defs.resolve_job_def("fix_quarantine").execute_in_process(run_config=config, raise_on_error=False)
    assert not result.success
    assert not result.retry_attempts_for_node("fix_waiting")
    failure = result.failure_data_for_node("fix_waiting")
    assert failure and failure.user_failure_data
    assert "give either patch or assign" in str(failure.user_failure_data.description)
