"""The walk-throughs of docs/evolution.md: the project's own tests pass after them. A message of a version that nobody
knows yet waits in quarantine, and is replayed once its version is known.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.services.simulator import gridstream
from tests.support.proof import require_proof
from tests.support.quarantine import command, report, send, states
from tests.support.stack import Stack, Streaming, end
from tests.support.walkthrough import copy, environment, run


@contextmanager
def streaming_from(folder: Path, stack: Stack) -> Iterator[None]:
    """The stream of another copy of the project, in place of this one."""
    with (stack.settings.home / "stream-of-the-copy.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, gridstream(), "stream", "run"],
            env=stack.environment() | environment(folder),
            cwd=folder,  # Spark starts its workers with `-m`, so they look here first
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            end(process)


def test_version_2_waits_until_it_is_known(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    early = [report(i, schema_version=2, severity=10, weather="雨") for i in range(10)]
    with streaming():
        send(stack, *early, report(10))
        assert {group["reason"]: group["rows"] for group in command(stack, "stats")["groups"]} == {
            "unknown_version": 10
        }
        assert command(stack, "replay")["skipped"] == {"rejected": 10}  # by what is known here they come back

    known = environment(copy(tmp_path / "copy", "A second version"))
    with streaming_from(tmp_path / "copy", stack):
        assert command(stack, "replay", "--reason", "unknown_version", **known)["done"] == 10
        stack.wait_until_loaded()
        assert command(stack, "replay", "--reason", "unknown_version", **known)["done"] == 0
        stack.wait_until_loaded()
    rows = stack.engineer.query(
        "SELECT schema_version, severity, extra, count() FROM events GROUP BY ALL ORDER BY schema_version"
    ).result_rows
    assert [(version, severity, count) for version, severity, _, count in rows] == [(1, 2, 1), (2, 4, 10)]
    assert json.loads(rows[1][2]) == {"severity_of_10": 10, "weather": "雨"}
    assert states(stack) == {"replayed": 10}
    require_proof(stack)


# The tests that a rule, a source or a mart can break.
UNIT = ("schemas", "intake", "sources", "marts", "database", "quality", "verify", "dagster", "infra/test_grants.py")


def test_the_projects_tests_pass_after_a_rule_a_source_and_a_mart(tmp_path: Path) -> None:
    folder = copy(tmp_path, "A rule", "A source", "A mart")
    run(folder, "-m", "schemas.contract.publish")
    tests = [f"tests/unit/{name}" for name in UNIT]
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--ignore=tests/unit/schemas/test_evolution.py",
    ]  # it is the caller of this
    run(folder, "-m", "pytest", "-n", "2", *options, *tests)
