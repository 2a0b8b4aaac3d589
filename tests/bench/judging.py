"""The cost of judging: `python -m tests.bench.judging [messages]`.

Measures simulated messages of Ningbo in chunks as the stream cuts them: decoding, judging by all
rules, warnings, outlines, and everything that the stream does before the insert. Prints the best of
three passes. Compare ratios, because the machine's speed changes from run to run.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from pipelines.classify import load_model
from pipelines.intake.decode import Limits, decode, record_table
from pipelines.intake.judge import judge, warnings
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import Stream
from pipelines.places.grids import GridIndex, GridRow
from pipelines.places.outlines import metres_outside
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.model import city_model
from pipelines.sources.simulator.plan import midnight_ms
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from schemas.event_types import known_codes
from schemas.registry import cities, grids

CITY, CHUNK, PASSES = "330200", 50_000, 3
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 14)


def records(count: int) -> list[pa.Table]:
    """The first `count` simulated messages, in chunks."""
    model = city_model(CITY)
    plan = Backfill(model, FIRST, LAST, midnight_ms(date.fromordinal(LAST.toordinal() + 1), model.timezone))
    now = int(time.time() * 1000)
    sent = islice(plan.messages(), count)
    whole = record_table((b"k", message.value, 0, offset, now) for offset, message in enumerate(sent))
    return [whole.slice(first, CHUNK) for first in range(0, whole.num_rows, CHUNK)]


def context() -> Context:
    """What the rules are evaluated with: the registry's grids, the taxonomy's codes, the time."""
    timezone = {city.code: city.timezone for city in cities()}
    rows = (
        GridRow(g.grid_code, g.town_code, g.county_code, g.city_code, timezone[g.city_code], g.valid_from, g.valid_to)
        for g in grids()
    )
    return Context(GridIndex.of(rows), known_codes(), datetime.now(UTC))


def best(work: Callable[[pa.Table], Any], chunks: list[Any]) -> tuple[float, list[Any]]:
    """Seconds of the fastest pass over all chunks, and the results of the last pass."""
    seconds, results = [], []
    for _ in range(PASSES):
        started = time.perf_counter()
        results = [work(chunk) for chunk in chunks]
        seconds.append(time.perf_counter() - started)
    return min(seconds), results


def main(count: int) -> None:
    chunks, rules = records(count), context()
    plan = Preparation(Stream("t", "id", 1, 1), Limits(), rules, load_model(None), b"k" * 16)
    preparing, rows = best(lambda chunk: prepare(chunk, offsets_of(chunk), plan), chunks)
    decoding, decoded = best(decode, chunks)
    judging, _ = best(lambda part: judge(part.good, rules), decoded)
    warning, _ = best(lambda part: warnings(part.events, rules), rows)
    located = [part.events.select(["county_code", "lon", "lat"]) for part in rows]
    outline, _ = best(lambda part: metres_outside(*part.columns), located)
    total = sum(chunk.num_rows for chunk in chunks)
    parts = {
        "decode": decoding,
        "judge": judging,
        "warnings": warning,
        "outline": outline,
        "prepare, all": preparing,
    }
    per_message = {name: round(seconds / total * 1e6, 2) for name, seconds in parts.items()}
    print(f"{total} messages; microseconds per message: ", per_message)
    judged = decoding + judging + warning
    print(f"throughput lost by judging: {1 - decoding / judged:.1%} of decoding alone")
    print(f"with the outlines: {1 - decoding / (judged + outline):.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
