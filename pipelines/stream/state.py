"""The condition of the stream, in a small file next to its checkpoint: `gridstream status` must be able to
report why nothing is loaded when ClickHouse itself does not answer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from pipelines.files import replace_file
from pipelines.stream.hold import Held

Condition = Literal["starting", "running", "waiting", "defect", "held", "stopped", "failed"]


class StreamState(msgspec.Struct, frozen=True):
    """`condition` since `at`; `reason` says why it waits, is held, stopped or failed,
    and what to do; of a defect what it is, and where. `held`: the partitions whose breaker is open."""

    condition: Condition
    at: datetime
    pid: int
    reason: str = ""
    batch_id: int = -1
    rows: int = 0
    seconds: float = 0.0
    held: tuple[Held, ...] = ()


def write_state(path: Path, **fields: object) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    replace_file(path, msgspec.json.encode({"at": datetime.now(UTC), **fields}))


def read_state(path: Path) -> StreamState | None:
    """The stream's last word, or None when it never spoke."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StreamState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
