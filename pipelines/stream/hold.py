"""A stream held by the circuit breaker, and a person's order to resume.

The order is a file next to the stream's state, so that it outlives the process. It names for each partition the offset
up to which messages no longer count for the breaker. Messages below it are loaded, good or bad.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pipelines.errors import GridstreamError, UserFault
from pipelines.files import replace_file

HOW_TO_RESUME = (
    "排除原因后 mend the cause, then: gridstream stream resume; "
    "或放行到隔离区 or let what waits into quarantine: gridstream stream resume --accept"
)
_TOLD = 3  # reasons named in one line


class Held(msgspec.Struct, frozen=True):
    """Why a partition is held. `next_offset`: the first message that is not loaded; `opened_at`: the one at which the
    breaker opened: of the `messages` up to it, `refused` were refused. `reasons`: of the messages that wait."""

    partition: int
    next_offset: int
    opened_at: int
    messages: int
    refused: int
    reasons: dict[str, int]

    def __str__(self) -> str:
        named = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))[:_TOLD]
        reasons = ", ".join(f"{reason} {count}" for reason, count in named)
        return (
            f"partition {self.partition}: {self.refused} of {self.messages} messages up to offset {self.opened_at} "
            f"refused ({self.refused / self.messages:.0%}): {reasons}; loaded up to offset {self.next_offset - 1}"
        )


class BreakerOpen(GridstreamError):
    """So much is refused that the stream holds until a person has looked. `held`: the partitions."""

    def __init__(self, held: Sequence[Held]) -> None:
        self.held = tuple(held)
        super().__init__("circuit breaker open: " + "; ".join(map(str, held)))


class ResumeOrder(msgspec.Struct, frozen=True):
    """To go on with `topic_id`: by partition, the offset from which on messages count for the breaker."""

    topic_id: str
    counts_from: dict[int, int]
    at: datetime


def order_path(state_file: Path) -> Path:
    """Where the order lies that belongs to a state file."""
    return state_file.with_suffix(".resume.json")


def give_order(path: Path, topic_id: str, counts_from: Mapping[int, int]) -> None:
    """Write the order; an older one for the same topic is kept where it reaches further."""
    older = read_order(path, topic_id)
    known = older.counts_from if older else {}
    merged = {number: max(known.get(number, 0), counts_from.get(number, 0)) for number in {*known, *counts_from}}
    replace_file(path, msgspec.json.encode(ResumeOrder(topic_id, merged, datetime.now(UTC))))


def read_order(path: Path, topic_id: str) -> ResumeOrder | None:
    """The newest order for this topic, or None.

    Raises:
        UserFault: the file is not an order.
    """
    try:
        order = msgspec.json.decode(path.read_bytes(), type=ResumeOrder)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UserFault(f"{path} 不是恢复指令，请删除 is not an order to resume ({error}); delete it") from error
    return order if order.topic_id == topic_id else None
