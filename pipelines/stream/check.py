"""What the stream would do with messages, without any service: for producers before they send, and for tests. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipelines.intake.decode import RECORD
from pipelines.intake.rejects import PAYLOAD_LIMIT
from pipelines.load.ranges import OffsetRange
from pipelines.load.rows import Rows
from pipelines.privacy.hashes import reporter_hasher
from pipelines.privacy.mask import masker
from pipelines.stream.isolate import prepare_or_isolate
from pipelines.stream.prepare import Preparation

Row = Mapping[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """What would become of one line.

    outcome: `event` or `quarantine`. reasons: ids of schemas/reasons.yaml and rules, the first one first; detail: where
    and what. warnings: rules that an event breaks without being refused. text, extra: as an event would store them.
    masked: how many pieces of personal data of each kind are masked.
    """

    line: int
    outcome: str
    reasons: list[str] = []
    warnings: list[str] = []
    event_type: int | None = None
    decided_by: str | None = None
    text: str | None = None
    extra: dict[str, Any] | None = None
    masked: dict[str, int] = {}
    detail: str = ""


def check(values: Sequence[bytes], first_line: int, plan: Preparation) -> list[Answer]:
    """One answer a value, in their order. A message is judged for itself: a resend is answered like the first.

    Raises:
        Defect: the program fails on good messages too.
    """
    answers: dict[int, Answer] = {}
    left = list(range(len(values)))
    while left:  # a chunk keeps the first of several messages with one event_id; the next round asks for the others
        records = _records([values[row] for row in left], left)
        rows = prepare_or_isolate(records, OffsetRange(0, left[0], left[-1]), plan)
        for row, answer in _answers(values, rows, first_line, plan):
            answers[row] = answer
        left = [row for row in left if row not in answers]
    return [answers[row] for row in range(len(values))]


def _records(values: Sequence[bytes], offsets: Sequence[int]) -> pa.Table:
    count = len(values)
    columns = [
        pa.nulls(count, pa.binary()),
        pa.array(values, pa.binary()),
        pa.array(np.zeros(count, np.int32)),
        pa.array(offsets, pa.int64()),
        pa.nulls(count, pa.int64()).fill_null(0).cast(RECORD.field("timestamp").type),
    ]
    return pa.table(columns, schema=RECORD)


def _answers(values: Sequence[bytes], rows: Rows, first_line: int, plan: Preparation) -> Iterator[tuple[int, Answer]]:
    names = ["kafka_offset", "warnings", "event_type", "decided_by", "text", "extra"]
    for row, warnings, code, decided_by, text, extra in zip(*(rows.events[n].to_pylist() for n in names), strict=True):
        yield (
            row,
            Answer(
                line=first_line + row,
                outcome="event",
                warnings=warnings,
                event_type=code,
                decided_by=decided_by,
                text=text,
                extra=msgspec.json.decode(extra) if extra else {},
                masked=_masked(values[row], plan),
            ),
        )
    names = ["kafka_offset", "reasons", "detail"]
    for row, reasons, detail in zip(*(rows.quarantine[n].to_pylist() for n in names), strict=True):
        masked = {} if row in rows.isolated else _masked(values[row], plan)
        yield row, Answer(first_line + row, "quarantine", reasons=reasons, detail=detail, masked=masked)


def _masked(value: bytes, plan: Preparation) -> dict[str, int]:
    """What is masked in one message; in one that cannot be read, in its text, as far as quarantine keeps it."""
    counts: Counter[str] = Counter()
    masks = masker(plan.mask_patterns)
    masks.json(value[:PAYLOAD_LIMIT].decode("utf-8", "backslashreplace"), reporter_hasher(plan.hash_key), counts)
    return dict(counts)
