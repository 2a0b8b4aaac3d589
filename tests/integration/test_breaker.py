"""The circuit breaker on real services: it holds the stream, and a person's order lets it go on; nothing is lost."""

from infra.cli.stack.stream_view import observe_stream
from pipelines.watch.health import judge
from tests.support.breaker import held, resume, send
from tests.support.proof import require_proof
from tests.support.stack import Stack, Streaming
from tests.support.wait import until


def quarantined(stack: Stack) -> object:
    return stack.scalar("SELECT count() FROM quarantine FINAL")


def test_five_percent_flow_and_half_are_held_until_the_order(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, 0, lambda number: number % 20 == 0, 4000)
        stack.wait_until_loaded()
        assert quarantined(stack) == 200
        assert resume(stack).returncode == 2  # it is not held
        send(stack, 1, lambda number: number % 2 == 0, 3000)
        until(lambda: held(stack), "the breaker")
        require_alarm(stack, partition=1)
        before = quarantined(stack)
        send(stack, 0, lambda number: False, 100)  # nothing more is read, from any partition
    assert quarantined(stack) == before
    with streaming():  # a restart holds again
        until(lambda: held(stack), "the breaker after a restart")
        assert quarantined(stack) == before
        since = stack.state.at if stack.state else None
        assert resume(stack).returncode == 0  # still as bad: it opens again
        until(lambda: held(stack) and stack.state is not None and stack.state.at != since, "the breaker again")
        assert resume(stack, "--accept").returncode == 0
        stack.wait_until_loaded()
        assert quarantined(stack) == 200 + 1500
        send(stack, 1, lambda number: False, 100)
        stack.wait_until_loaded()
    require_proof(stack)
    assert stack.scalar("SELECT count() FROM events FINAL") == 3800 + 1500 + 200


def test_all_bad_is_held_and_so_are_those_after_the_accepted_ones(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, 1, lambda number: True, 11)  # too few for the breaker
        stack.wait_until_loaded()
        [problem] = judge(observe_stream(stack.settings)).problems
        assert (problem.id, problem.severity) == ("refused", "warning")
        assert "11 of the last hour's 11 messages were rejected" in problem.what
        send(stack, 0, lambda number: True, 1200)
        until(lambda: held(stack), "the breaker")
        assert resume(stack, "--accept").returncode == 0
        stack.wait_until_loaded()
        assert quarantined(stack) == 1211
        send(stack, 0, lambda number: True, 1200)
        until(lambda: held(stack), "the breaker for the next ones")
        assert resume(stack, "--accept").returncode == 0
        stack.wait_until_loaded()
    assert quarantined(stack) == 2411
    require_proof(stack)


def require_alarm(stack: Stack, partition: int) -> None:
    """The state file and the verdict, which `status` and Dagster show, say where, how many and why."""
    assert stack.state is not None
    [held] = stack.state.held
    assert (held.partition, held.reasons.keys()) == (partition, {"not_json"})
    assert held.refused / held.messages >= 0.3
    problem = judge(observe_stream(stack.settings)).problems[0]
    assert problem.id == "held"
    assert "not_json" in problem.what and "gridstream stream resume" in problem.do
