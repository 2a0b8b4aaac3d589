"""One offset range, ready to insert."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.load.ranges import OffsetRange


class Rows(NamedTuple):
    """One range, ready to insert: `events` and `quarantine` rows in their tables' columns, and the
    number of resends dropped because their event_id stood earlier in the range. `warned`: how many of
    the events have warnings; `masked`: how many pieces of personal data of each kind were masked."""

    offsets: OffsetRange
    events: pa.Table
    quarantine: pa.Table
    duplicates: int
    first_time: Any
    last_time: Any
    warned: int = 0
    masked: Mapping[str, int] = MappingProxyType({})
