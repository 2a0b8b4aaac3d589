"""The manifest: it reports exactly what was acknowledged, also after a crash."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import UserFault
from pipelines.sources.simulator.manifest import ManifestWriter, Sent, read_manifest

LOW, HIGH = "00000000-0000-8000-8000-000000000001", "f0000000-0000-8000-8000-000000000000"


def message(
    event_id: str | None, report: str, minute: int, status: str = "reported", kind: str = "good", **more: object
) -> Sent:
    moment = f"2026-06-01T08:{minute:02d}:00+08:00"
    return Sent(kind, event_id, report, "330203001001", status, moment, 405, b"x", **more)  # type: ignore[arg-type]


def written(path: Path, *blocks: list[Sent], acknowledged: int | None = None) -> Path:
    writer, offset = ManifestWriter(path, {"seed": 1}), 100
    for number, block in enumerate(blocks):
        writer.intend(block)
        if acknowledged is None or number < acknowledged:
            writer.acknowledge([(number, offset + i) for i in range(len(block))])
    writer.close()
    return path


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    sent = message(LOW, "r1", 1, source_type="sim/405", personal=(("mobile", "13800000000"),))
    manifest = read_manifest(written(tmp_path / "a" / "m.jsonl", [sent], [message(HIGH, "r2", 2)]))
    first, second = manifest.messages
    assert (first.seq, first.partition, first.offset, second.seq, second.partition) == (0, 0, 100, 1, 1)
    assert (first.event_id, first.source_type, first.personal) == (LOW, "sim/405", (("mobile", "13800000000"),))
    assert (first.value, manifest.run) == (None, {"seed": 1})
    assert sent.value == b"x", "the message itself is left as it was"


def test_the_newest_message_of_a_report_wins(tmp_path: Path) -> None:
    block = [
        message(HIGH, "r1", 5, "closed", person=401),
        message(LOW, "r1", 3, "accepted"),
        message(HIGH, "r1", 5, "closed", "duplicate", person=401),
    ]
    state = read_manifest(written(tmp_path / "m", block)).expected_reports()["r1"]
    assert (state.status, state.event_id, state.messages) == ("closed", HIGH, 2)
    assert (state.updated_at, state.decided) == (datetime(2026, 6, 1, 0, 5, tzinfo=UTC), 401)


@pytest.mark.parametrize(
    ("first", "second", "last"),
    [("accepted", "closed", LOW), ("closed", "accepted", HIGH), ("accepted", "accepted", LOW)],
)
def test_a_tie_goes_to_the_later_step_then_to_the_later_offset(
    tmp_path: Path, first: str, second: str, last: str
) -> None:
    block = [message(HIGH, "r1", 5, first), message(LOW, "r1", 5, second)]
    assert read_manifest(written(tmp_path / "m", block)).expected_reports()["r1"].event_id == last


def test_bad_messages_count_by_reason_and_nowhere_else(tmp_path: Path) -> None:
    block = [
        message(None, "r1-bad", 1, kind="bad:not_json"),
        message(LOW, "r2", 1),
        message(HIGH, "r3", 1, kind="bad:empty"),
    ]
    manifest = read_manifest(written(tmp_path / "m", block))
    assert manifest.expected_quarantine_by_reason() == {"not_json": 1, "empty": 1}
    assert set(manifest.expected_events()) == {LOW}
    assert manifest.summary()["kinds"] == {"bad": 2, "good": 1}


def test_a_block_without_acknowledgement_is_set_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [message(LOW, "r1", 1)], [message(HIGH, "r2", 2)], acknowledged=1)
    manifest = read_manifest(path)
    assert set(manifest.expected_events()) == {LOW}
    assert [noted.event_id for noted in manifest.unacknowledged] == [HIGH]


def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [message(LOW, "r1", 1)], [message(HIGH, "r2", 2)])
    path.write_bytes(path.read_bytes()[:-7])
    manifest = read_manifest(path)
    assert set(manifest.expected_events()) == {LOW}
    assert len(manifest.unacknowledged) == 1


def test_a_manifest_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "m", [])
    with pytest.raises(UserFault, match="exists already"):
        ManifestWriter(path, {})


@pytest.mark.parametrize("content", [b"", b"hello\n", b"[]\n", b'{"manifest":9,"run":{}}\n', b'{"a":1}\n'])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(UserFault):
        read_manifest(path)
