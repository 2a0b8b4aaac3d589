"""Rejected messages sent again once their cause is gone, or repaired: each moves once, and the proof still holds."""

import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from pipelines.errors import UserFault
from pipelines.quarantine.compute import Evaluator
from pipelines.quarantine.selection import Selection, pages
from tests.support.proof import require_proof
from tests.support.quarantine import KNOWN, NEW_GRID, SECRET, UNKNOWN, command, headers, job, report, run, send, states
from tests.support.stack import Stack, Streaming


def test_replayed_once(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, *(report(i, grid_code=UNKNOWN) for i in range(20)), b'{"text": "13812345678", broken')
        assert command(stack, "stats")["total"] == 21
        early = command(stack, "replay")
        assert (early["done"], early["skipped"]) == (0, {"rejected": 20, "not_json": 1})
        stopped = run(stack, "replay", "--policy", "stop-on-error")
        assert (stopped.returncode, "would be rejected again" in stopped.stdout) == (1, True)
        assert command(stack, "replay", "--policy", "reinsert")["done"] == 20  # too early: they come back
        stack.wait_until_loaded()
        assert stack.scalar("SELECT count() FROM quarantine FINAL") == 41

        stack.loader.command(NEW_GRID, {"new": UNKNOWN, "old": KNOWN})
        assert command(stack, "replay", "--dry-run")["done"] == 20
        assert command(stack, "replay", "--limit", "5")["done"] == 5
        assert command(stack, "replay")["done"] == 15
        stack.wait_until_loaded()
        again = command(stack, "replay")
        stack.wait_until_loaded()
        assert again["done"] == 0
        assert command(stack, "replay", "--policy", "drop")["discarded"] == 1
        assert command(stack, "discard")["discarded"] == 0
    assert stack.scalar("SELECT count() FROM events") == 20
    assert stack.scalar("SELECT count() FROM quarantine FINAL") == 41
    assert stack.scalar("SELECT countIf(text LIKE '%张三%' OR text LIKE '%1381234%') FROM events") == 0
    assert states(stack) == {"replayed": 40, "discarded": 1}
    sent = headers(stack)
    assert sorted(header["gridstream-attempt"] for header in sent) == [b"1"] * 20 + [b"2"] * 20
    assert all(header["gridstream-topic"].decode() == stack.topic for header in sent)
    require_proof(stack)


def test_fixed_once(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps([{"op": "add", "path": "/source", "value": "hotline"}]))
    with streaming():
        send(
            stack,
            *(report(i, severity="3") for i in range(30)),
            *(report(i, severity="high") for i in range(30, 33)),
            *({k: v for k, v in report(i).items() if k != "source"} for i in range(33, 43)),
        )
        rules = {group["rule"]: group["rows"] for group in command(stack, "stats")["rules"]}
        assert rules == {"wrong_type:severity": 33, "missing_field:source": 10}

        number = ("fix", "--rule", "wrong_type:severity", "--set", "severity=toUInt8OrNull(severity)")
        tried = command(stack, *number, "--samples", "2")
        assert (tried["dry_run"], tried["passing"], tried["looked_at"], tried["done"]) == (True, 30, 33, 30)
        assert tried["still_rejected"] == {"missing_field": 3}
        assert [sample["changes"] for sample in tried["samples"]] == [['-  "severity": "3"', '+  "severity": 3']] * 2
        assert states(stack) == {"waiting": 43}  # nothing was done yet

        assert command(stack, *number, "--apply")["done"] == 30
        assert command(stack, "fix", "--reason", "missing_field", "--patch", str(patch), "--apply")["done"] == 10
        stack.wait_until_loaded()
        assert command(stack, *number, "--apply")["done"] == 0
        assert command(stack, "fix", "--reason", "missing_field", "--patch", str(patch), "--apply")["done"] == 0
        stack.wait_until_loaded()
    assert stack.scalar("SELECT count() FROM events") == stack.scalar("SELECT uniqExact(event_id) FROM events") == 40
    assert states(stack) == {"fixed": 40, "waiting": 3}
    fixes = stack.engineer.query("SELECT fix, count() FROM quarantine_states WHERE fix != '' GROUP BY fix").result_rows
    assert dict(fixes) == {
        "severity = toUInt8OrNull(severity)": 30,
        '[{"op":"add","path":"/source","value":"hotline"}]': 10,
    }
    assert {header["gridstream-attempt"] for header in headers(stack)} == {b"1"}
    require_proof(stack)


def test_an_expression_may_not_write(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, report(1, severity=9))
    wrong = run(stack, "fix", "--set", "severity=no_such_function(severity)", "--apply")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no_such_function" in wrong.stderr
    escaped = run(stack, "fix", "--set", "severity=2)) FROM grids SETTINGS readonly = 0; TRUNCATE TABLE grids --")
    assert escaped.returncode == 2
    assert stack.scalar("SELECT count() > 0 FROM grids") == 1
    assert states(stack) == {"waiting": 1}


def test_an_expression_sees_the_message_alone(stack: Stack, streaming: Streaming) -> None:
    """ClickHouse refuses it: the user that evaluates expressions has no rights."""
    with streaming():
        send(stack, report(1), report(2, severity=9))
    for expression in (
        "(SELECT groupArray(reporter_hash) FROM events)",
        "(SELECT any(payload) FROM quarantine)",
        "grid_code IN grids",
        "(SELECT any(name) FROM system.users)",
        "(SELECT * FROM file('/etc/hostname', 'LineAsString') LIMIT 1)",
        "file('/etc/hostname')",
    ):
        refused = run(stack, "fix", "--set", f"text=toString({expression})", "--apply")
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), expression
        assert "--set: 表达式" in refused.stderr
    with pytest.raises(subprocess.CalledProcessError) as failed:
        job(stack, "fix_quarantine", "fix_waiting", assign=["text=(SELECT any(reporter_hash) FROM events)"])
    assert "may use only the fields of the message" in failed.value.stderr
    assert states(stack) == {"waiting": 1}


def test_a_user_with_rights_does_not_evaluate(stack: Stack) -> None:
    with pytest.raises(UserFault, match="must have no rights"):
        Evaluator(stack.engineer, ["1"])


def test_a_computed_page_holds_the_rows_that_are_listed(stack: Stack, streaming: Streaming) -> None:
    """All columns, although the expressions use some of their names for fields of the payload."""
    with streaming():
        send(stack, report(1, severity=9, grid_code=UNKNOWN), b"{", report(2, severity=8))
    with stack.settings.client("repair") as client:
        evaluator = Evaluator(client, ["grid_code", "toUInt8OrNull(severity) + 1"])
        computed = [message for page in pages(stack.engineer, Selection(stack.topic), evaluator, 2) for message in page]
    plain = [message for page in pages(stack.engineer, Selection(stack.topic)) for message in page]
    assert [msgspec.structs.replace(message, computed=()) for message in computed] == [
        msgspec.structs.replace(message, computed=()) for message in plain
    ]
    values = sorted(tuple(message.computed) for message in computed)
    assert values == [('""', None), (f'"{KNOWN}"', "9"), (f'"{UNKNOWN}"', "10")]


def test_a_recorded_repair_is_masked(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, report(1, severity=9))
        done = command(stack, "fix", "--set", f"text='电话{SECRET}'", "--set", "severity=1", "--apply")
        assert done["done"] == 1
        stack.wait_until_loaded()
    assert stack.scalar("SELECT fix FROM quarantine_states") == "text = '电话[手机号]'; severity = 1"
    assert stack.scalar("SELECT text FROM events") == "电话[手机号]"


def test_from_dagster(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, *(report(i, severity=9) for i in range(5)), report(5, grid_code=UNKNOWN))
        fix = {"rule": "bad_value:severity", "assign": ["severity=4"]}
        assert "dry_run True, looked_at 5, passing 5, sent 5" in job(stack, "fix_quarantine", "fix_waiting", **fix)
        assert states(stack) == {"waiting": 6}
        assert "sent 5, " in job(stack, "fix_quarantine", "fix_waiting", dry_run=False, **fix)
        assert "sent 0, " in job(stack, "fix_quarantine", "fix_waiting", dry_run=False, **fix)
        assert "sent 0, discarded 0, skipped 1" in job(stack, "replay_quarantine", "replay_waiting", dry_run=False)
        assert "discarded 1" in job(stack, "discard_quarantine", "discard_waiting", dry_run=False)
        stack.wait_until_loaded()
    assert stack.scalar("SELECT count() FROM events") == 5
    assert states(stack) == {"fixed": 5, "discarded": 1}
