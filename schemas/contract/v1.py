"""The message contract, version 1: a whole snapshot of a report at a step of its life.

The Struct is the only definition of the contract: decoding checks against it, and the published
`schemas/contract/report.v1.schema.json` is generated from it, docstrings included (`schemas.contract.publish`, a test
compares). Rules that need more than one field, the clock or the registry are in `schemas/expectations/events.yaml`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from schemas.contract.version import END, Version
from schemas.sources import sources

VERSION = 1

Status = Literal["reported", "accepted", "dispatched", "resolved", "closed", "reopened", "rejected"]
SOURCES: tuple[str, ...] = tuple(sources())
if TYPE_CHECKING:
    Source = str
else:
    Source = Literal[SOURCES]  # the list is data; type checkers accept literals only
Crs = Literal["wgs84", "gcj02", "cgcs2000"]

STATUSES: tuple[str, ...] = get_args(Status)
CRSS: tuple[str, ...] = get_args(Crs)

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset")]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
_HEX = "[0-9a-fA-F]"
# Patterns end with END: `$` would let a trailing line feed through in Python.
UUID = f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}{END}"


class Location(msgspec.Struct, frozen=True, gc=False):
    """A point in degrees, in the coordinate system `crs`; stored as WGS-84."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    crs: Crs


class Report(msgspec.Struct, gc=False):
    """One message. Fields outside the contract are allowed and kept in `extra`."""

    schema_version: Literal[1]
    event_id: Annotated[str, Meta(pattern=UUID, description="one per message; a resend keeps it")]
    report_id: Annotated[str, Meta(min_length=1, max_length=64, description="stable for the report's life")]
    status: Status
    reported_at: Moment
    updated_at: Moment
    grid_code: Annotated[str, Meta(pattern=f"^[0-9]{{12}}{END}", description="town code (9 digits) and sequence (3)")]
    source: Source
    text: Annotated[str, Meta(min_length=1, max_length=4000)]
    severity: Annotated[int, Meta(ge=1, le=4)]
    due_at: Moment | None = None
    source_type: Code | None = None
    event_type: Annotated[int, Meta(ge=100, le=999, description="set by a person")] | None = None
    location: Location | None = None
    satisfaction: Annotated[int, Meta(ge=1, le=5, description="only when closed")] | None = None
    handler: Code | None = None
    reporter: Annotated[str, Meta(max_length=256, description="stored only as a keyed hash")] | None = None


FIELDS: tuple[str, ...] = Report.__struct_fields__


class _StrictLocation(Location, forbid_unknown_fields=True, frozen=True, gc=False):
    """A location without unknown fields."""


class StrictReport(Report, forbid_unknown_fields=True, gc=False):
    """The same contract, refusing unknown fields at every depth: the fast path, since most messages carry none."""

    location: _StrictLocation | None = None


CONTRACT = Version(VERSION, Report, stored=lambda report: (report, {}))
