"""Judge a rejected message again before it is sent, with the present rules: the stream's own decode
and judge steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from pipelines.clock import utc_now
from pipelines.intake.decode import Limits, decode, record_table
from pipelines.intake.judge import judge
from pipelines.intake.rules.columns import Context
from pipelines.places.registry import RegistryReader
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.repair import Document, DoesNotApply, Repair
from schemas.event_types import known_codes


class Verdict(NamedTuple):
    """`reasons`: ids of schemas/reasons.yaml, the first one first; empty when the message would be
    accepted."""

    reasons: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Rules:
    """The rules at one moment."""

    context: Context
    limits: Limits = Limits()

    def verdicts(self, values: Sequence[bytes]) -> list[Verdict]:
        """One verdict for each value, in their order."""
        if not values:
            return []
        decoded = decode(record_table((b"", value, 0, row, 0) for row, value in enumerate(values)), self.limits)
        rejected = _verdicts(decoded.rejects) | _verdicts(judge(decoded.good, self.context).rejects)
        return [rejected.get(row, _ACCEPTED) for row in range(len(values))]


@dataclass(frozen=True)
class Rejudged:
    """A rejected message, what would be sent for it, and the verdict of the present rules.

    unfit: why there is nothing to send: `cut`, `not_json`, `not_applied`; '' otherwise. before,
    after: the payload without and with the repair; None when unfit. value: the bytes to send.
    reasons: as in `Verdict`.
    """

    message: RejectedMessage
    unfit: str = ""
    detail: str = ""
    before: Document | None = None
    after: Document | None = None
    value: bytes = b""
    reasons: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        return not self.unfit and not self.reasons

    @property
    def why(self) -> str:
        """Why it does not pass: the value of `unfit`, or `rejected`."""
        return self.unfit or "rejected"

    @property
    def kafka_key(self) -> bytes:
        """The key to send it with: its grid."""
        grid = (self.after or {}).get("grid_code")
        return (grid if isinstance(grid, str) else self.message.grid_code).encode()


def present_rules(client: Client) -> Rules:
    """The rules that the stream applies now.

    Raises:
        UserFault: the registry of grids is empty.
    """
    return Rules(Context(RegistryReader().current(client), known_codes(), utc_now()))


def rejudge(messages: Sequence[RejectedMessage], rules: Rules, repair: Repair | None = None) -> Iterator[Rejudged]:
    """Each message, repaired and judged, in their order."""
    prepared = [_prepare(message, repair) for message in messages]
    verdicts = iter(rules.verdicts([candidate.value for candidate in prepared if not candidate.unfit]))
    for candidate in prepared:
        yield candidate if candidate.unfit else replace(candidate, **next(verdicts)._asdict())


def _prepare(message: RejectedMessage, repair: Repair | None) -> Rejudged:
    before = message.document()
    if before is None:
        # Truncation is detected from `payload_bytes`. Masking changes the length too, so a payload
        # that is not JSON can be reported as `cut` although it is complete.
        return Rejudged(message, "cut" if message.payload_bytes > len(message.payload.encode()) else "not_json")
    if repair is None:
        return Rejudged(message, before=before, after=before, value=message.payload.encode())
    try:
        after = repair.repaired(before, message)
    except DoesNotApply as fault:
        return Rejudged(message, "not_applied", str(fault))
    return Rejudged(message, before=before, after=after, value=msgspec.json.encode(after))


def _verdicts(rejects: pa.Table) -> dict[int, Verdict]:
    columns = (rejects[name].to_pylist() for name in ("offset", "reasons", "detail"))
    return {row: Verdict(tuple(reasons), detail) for row, reasons, detail in zip(*columns, strict=True)}


_ACCEPTED = Verdict()
