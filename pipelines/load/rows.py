"""One offset range, ready to insert."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from pipelines.load.ranges import OffsetRange


class Isolated(NamedTuple):
    """Why the program cannot process a message. bare: its quarantine row has no payload, since the row with it is
    refused."""

    detail: str
    bare: bool = False


class Rows(NamedTuple):
    """One range, ready to insert.

    events, quarantine: rows in the columns of these tables. duplicates: resends dropped because an equal message came
    earlier in the range. judged_at: the time that the rules compared with. basis: versions of everything else that the
    outcome depends on, by name. first_time, last_time: arrival of the earliest and of the latest message. warned:
    number of events with warnings. isolated: by offset, messages that the program could not process. masked: how many
    pieces of personal data of each kind were masked.
    """

    offsets: OffsetRange
    events: pa.Table
    quarantine: pa.Table
    duplicates: int
    judged_at: datetime
    basis: Mapping[str, str]
    first_time: datetime
    last_time: datetime
    warned: int = 0
    isolated: Mapping[int, Isolated] = MappingProxyType({})
    masked: Mapping[str, int] = MappingProxyType({})
