"""The manifest: exactly what was sent, written so that after a crash it contains every message that Kafka has.

JSON lines. The first line describes the run. For each block follow a line for each message, written *before* it is
sent, and a line `{"acked": first seq, "partitions": [...], "offsets": [...]}` after Kafka acknowledged the block. A
message without an acknowledgement may or may not be in the topic. The expected tables are computed here from the rules
of the contract, without code of the stream, so that a test can compare the two.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec
from msgspec import Struct

from pipelines.errors import UserFault
from schemas.contract.v1 import STATUSES

VERSION = 1
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Sent(Struct, gc=False, omit_defaults=True):
    """A message and the truth about it.

    kind: good, duplicate, late, correction, odd:<rule that warns> or bad:<reason>; way: how it is bad. type: the true
    event type; person: the type that a person set. personal: planted personal data as (kind, value). astray: whether
    the location is in another county (good messages only). value: not written to the manifest.
    """

    kind: str
    event_id: str | None
    report_id: str
    grid: str
    status: str
    updated_at: str
    type: int
    value: bytes | None = None
    source_type: str | None = None
    person: int | None = None
    way: str | None = None
    personal: tuple[tuple[str, str], ...] = ()
    astray: bool = False


class Noted(Sent, gc=False, omit_defaults=True):
    """A message of a manifest: its number in the run, and its position if Kafka acknowledged it."""

    seq: int = 0
    partition: int | None = None
    offset: int | None = None

    @property
    def acknowledged(self) -> bool:
        return self.offset is not None

    @property
    def good(self) -> bool:
        return not self.kind.startswith("bad:")

    @property
    def moment(self) -> datetime:
        """`updated_at` in UTC."""
        return datetime.fromisoformat(self.updated_at).astimezone(UTC)


class ManifestWriter:
    """Writes a new manifest."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Raises UserFault if the file exists already or cannot be created."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = path.open("xb")
        except FileExistsError as error:
            raise UserFault(
                f"清单已存在 manifest exists already: {path}; 请用 --manifest 另取名 choose another name"
            ) from error
        except OSError as error:
            raise UserFault(f"清单无法写入 manifest cannot be written: {path}: {error.strerror}") from error
        self.path, self._next = path, 0
        self._write([_encode({"manifest": VERSION, "run": run})])

    def intend(self, block: Sequence[Sent]) -> None:
        """Writes the lines of a block that is about to be sent."""
        lines = []
        for seq, sent in enumerate(block, self._next):
            value, sent.value = sent.value, None
            lines.append(b'{"seq":%d,%s' % (seq, _encode(sent)[1:]))
            sent.value = value
        self._write(lines)

    def acknowledge(self, positions: Sequence[tuple[int, int]]) -> None:
        """Writes the positions of the block's messages, in the order of the block."""
        partitions, offsets = [partition for partition, _ in positions], [offset for _, offset in positions]
        self._write([_encode({"acked": self._next, "partitions": partitions, "offsets": offsets})])
        self._next += len(positions)

    def close(self) -> None:
        self._stream.close()

    def _write(self, lines: Iterable[bytes]) -> None:
        self._stream.write(b"\n".join([*lines, b""]))
        self._stream.flush()


class ReportState(Struct, frozen=True):
    """The state of a report once everything that was sent is loaded.

    type: the true event type. decided: the type that a person or the source's own code decides; None if the
    classifier has to.
    """

    report_id: str
    status: str
    grid: str
    updated_at: datetime
    event_id: str
    type: int
    decided: int | None
    messages: int


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read."""

    run: dict[str, Any]
    messages: tuple[Noted, ...]

    @property
    def unacknowledged(self) -> tuple[Noted, ...]:
        """Messages of an interrupted run; each may or may not be in the topic."""
        return tuple(noted for noted in self.messages if not noted.acknowledged)

    def expected_events(self) -> dict[str, Noted]:
        """The accepted messages by event_id; resends count once."""
        return {str(noted.event_id): noted for noted in self._acknowledged() if noted.good}

    def expected_reports(self) -> dict[str, ReportState]:
        """The final state of each report: its newest message, see `_order`."""
        by_report: dict[str, list[Noted]] = {}
        for noted in self.expected_events().values():
            by_report.setdefault(noted.report_id, []).append(noted)
        return {name: _final(messages) for name, messages in by_report.items()}

    def expected_quarantine_by_reason(self) -> Counter[str]:
        """The number of messages that must be in quarantine, by reason."""
        return Counter(noted.kind.removeprefix("bad:") for noted in self._acknowledged() if not noted.good)

    def expected_odd(self) -> dict[str, set[str]]:
        """Event ids of the accepted messages that break a rule that warns, by rule."""
        by_rule: dict[str, set[str]] = {}
        for event_id, noted in self.expected_events().items():
            if noted.kind.startswith("odd:"):
                by_rule.setdefault(noted.kind.removeprefix("odd:"), set()).add(event_id)
        return by_rule

    def expected_outside(self) -> set[str]:
        """Event ids of the accepted messages whose location is outside their county."""
        return {event_id for event_id, noted in self.expected_events().items() if noted.astray}

    def personal_values(self) -> dict[str, set[str]]:
        """Every planted value by kind. No store may contain any, except names."""
        by_kind: dict[str, set[str]] = {}
        for noted in self._acknowledged():
            for kind, value in noted.personal:
                by_kind.setdefault(kind, set()).add(value)
        return by_kind

    def summary(self) -> dict[str, Any]:
        """Counts: by kind, distinct events and reports, quarantine by reason, personal data by kind."""
        acknowledged = list(self._acknowledged())
        return {
            "run": self.run,
            "messages": len(acknowledged),
            "unacknowledged": len(self.messages) - len(acknowledged),
            "kinds": dict(sorted(Counter(noted.kind.split(":")[0] for noted in acknowledged).items())),
            "events": len(self.expected_events()),
            "reports": len(self.expected_reports()),
            "outside": len(self.expected_outside()),
            "odd": {rule: len(event_ids) for rule, event_ids in sorted(self.expected_odd().items())},
            "quarantine": dict(sorted(self.expected_quarantine_by_reason().items())),
            "personal": dict(sorted(Counter(kind for noted in acknowledged for kind, _ in noted.personal).items())),
            "partitions": dict(sorted(Counter(str(noted.partition) for noted in acknowledged).items())),
        }

    def _acknowledged(self) -> Iterable[Noted]:
        return (noted for noted in self.messages if noted.acknowledged)


def _order(noted: Noted) -> tuple[datetime, int, int, int]:
    """Time, step of the life cycle, offset, event_id: as the table `report_states` orders messages."""
    return noted.moment, STATUSES.index(noted.status), noted.offset or 0, UUID(str(noted.event_id)).int


def _final(messages: list[Noted]) -> ReportState:
    last = max(messages, key=_order)
    own = int(last.source_type.removeprefix("sim/")) if last.source_type else None
    return ReportState(
        report_id=last.report_id,
        status=last.status,
        grid=last.grid,
        updated_at=last.moment,
        event_id=str(last.event_id),
        type=last.type,
        decided=last.person or own,
        messages=len(messages),
    )


class _Ack(Struct):
    acked: int
    partitions: list[int]
    offsets: list[int]


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest; a last line that a crash cut off is ignored.

    Raises:
        UserFault: missing, or not a manifest of this version.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise UserFault(f"清单无法读取 manifest cannot be read: {path}: {error.strerror}") from error
    try:
        head = msgspec.json.decode(lines[0] if lines else b"")
        run = head["run"] if head["manifest"] == VERSION else None
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise UserFault(f"不是清单 not a manifest: {path}") from error
    if run is None:
        raise UserFault(f"清单版本不符 manifest of another version: {path}")
    return Manifest(run, _joined(lines[1:]))


def _joined(lines: Iterable[bytes]) -> tuple[Noted, ...]:
    note, ack = msgspec.json.Decoder(Noted).decode, msgspec.json.Decoder(_Ack).decode
    messages: list[Noted] = []
    for line in lines:
        if not line.startswith(b'{"acked"'):
            messages.append(note(line))
            continue
        block = ack(line)
        acknowledged = messages[block.acked : block.acked + len(block.offsets)]
        for noted, partition, offset in zip(acknowledged, block.partitions, block.offsets, strict=True):
            noted.partition, noted.offset = partition, offset
    return tuple(messages)
