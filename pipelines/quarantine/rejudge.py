"""What the present rules say of a message before it is sent: the stream's own decode and judge, which are pure."""

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
from pipelines.quarantine.repair import Document, DoesNotApply, Repair
from pipelines.quarantine.selection import Waiting
from schemas.event_types import known_codes


class Verdict(NamedTuple):
    """`reasons`: ids of schemas/reasons.yaml, the first one first; none: it would be accepted."""

    reasons: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Rules:
    """What messages are judged by at one moment."""

    context: Context
    limits: Limits = Limits()

    def verdicts(self, values: Sequence[bytes]) -> list[Verdict]:
        """One verdict a value, in their order."""
        if not values:
            return []
        decoded = decode(record_table((b"", value, 0, row, 0) for row, value in enumerate(values)), self.limits)
        found = _found(decoded.rejects) | _found(judge(decoded.good, self.context).rejects)
        return [found.get(row, _ACCEPTED) for row in range(len(values))]


@dataclass(frozen=True)
class Rejudged:
    """A waiting message, what would be sent for it, and what the rules say of that.

    unfit: why there is nothing to send, '' otherwise: `cut`, `not_json`, `not_applied`. before, after: the message
    without and with the repair; None when unfit.
    """

    message: Waiting
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
        """Why it does not pass, in one word."""
        return self.unfit or "rejected"

    @property
    def key(self) -> bytes:
        """What it is sent under: its grid."""
        grid = (self.after or {}).get("grid_code")
        return (grid if isinstance(grid, str) else self.message.code).encode()


def present_rules(client: Client) -> Rules:
    """The rules as the stream has them now.

    Raises:
        UserFault: the registry of grids is empty.
    """
    return Rules(Context(RegistryReader().current(client), known_codes(), utc_now()))


def tried(messages: Sequence[Waiting], rules: Rules, repair: Repair | None = None) -> Iterator[Rejudged]:
    """Each message, repaired and judged, in their order."""
    prepared = [_prepared(message, repair) for message in messages]
    verdicts = iter(rules.verdicts([one.value for one in prepared if not one.unfit]))
    for one in prepared:
        if one.unfit:
            yield one
        else:
            yield replace(one, **next(verdicts)._asdict())


def _prepared(message: Waiting, repair: Repair | None) -> Rejudged:
    """Masking changes lengths, so a cut is told by the limit."""
    before = message.document()
    if before is None:
        return Rejudged(message, "cut" if message.payload_bytes > len(message.payload.encode()) else "not_json")
    if repair is None:
        return Rejudged(message, before=before, after=before, value=message.payload.encode())
    try:
        after = repair.repaired(before, message)
    except DoesNotApply as fault:
        return Rejudged(message, "not_applied", str(fault))
    return Rejudged(message, before=before, after=after, value=msgspec.json.encode(after))


def _found(rejects: pa.Table) -> dict[int, Verdict]:
    columns = (rejects[name].to_pylist() for name in ("offset", "reasons", "detail"))
    return {row: Verdict(tuple(reasons), detail) for row, reasons, detail in zip(*columns, strict=True)}


_ACCEPTED = Verdict()
