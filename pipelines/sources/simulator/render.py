"""Renders rows of numbers as bytes: the messages as they are sent, each with its entry of the manifest."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from pipelines.sources.simulator.bad import KINDS as BAD_KINDS
from pipelines.sources.simulator.bad import Message
from pipelines.sources.simulator.manifest import Sent
from pipelines.sources.simulator.model import CityModel
from pipelines.sources.simulator.odd import KINDS as ODD_KINDS
from pipelines.sources.simulator.places import places
from pipelines.sources.simulator.plan import BAD, KINDS, ODD, Rows
from pipelines.sources.simulator.texts import Texts
from schemas.contract.v1 import CRSS, SOURCES, STATUSES

_encode = msgspec.json.encode
_UNIT = 1 / 1024
# Fields of newer apps, which contract v1 keeps in `extra`.
_UNKNOWN: tuple[Message, ...] = (
    {"app_version": "3.8.1"},
    {"photos": 2, "app": {"os": "android", "build": 381}},
    {"device.id": "NB-0042", "battery": 0.71},
    {"urged": True, "urged_times": 3},
)


class Renderer:
    """Renders the messages of a city. Report ids are prefix + number; `prefixes` grows with the run."""

    def __init__(self, model: CityModel, texts: Texts) -> None:
        self.model, self.texts = model, texts
        self.prefixes: list[str] = []
        self._codes = [int(code) for code in model.codes]
        self._source_types = [f"sim/{code}" for code in self._codes]
        self._grid_codes = [grid.grid_code for grid in model.grids]
        self._names = [grid.zh for grid in model.grids]
        self._handlers = [f"{grid.county_code}-" for grid in model.grids]
        self._places = places(model)
        hours = datetime.now(ZoneInfo(model.timezone)).utcoffset()
        self._offset_ms = int(hours.total_seconds() * 1000) if hours else 0
        self._shares = model.profile.shares

    def render(self, rows: Rows) -> Iterator[Sent]:
        """The messages of `rows`, in their order."""
        times = {name: self._stamps(rows, name) for name in ("updated", "reported", "due")}
        ids = rows["hi"].astype(">u8").tobytes().hex(), rows["lo"].astype(">u8").tobytes().hex()
        values = zip(*(rows[name].tolist() for name in _NEEDED), strict=True)
        for i, row in enumerate(values):
            high, low = ids[0][16 * i : 16 * i + 16], ids[1][16 * i : 16 * i + 16]
            event_id = f"{high[:8]}-{high[8:12]}-{high[12:]}-{low[:4]}-{low[4:]}"
            yield self._message(_Row(*row), event_id, times["updated"][i], times["reported"][i], times["due"][i])

    def _stamps(self, rows: Rows, name: str) -> list[str]:
        local = (rows[name] + self._offset_ms).astype("datetime64[ms]")
        sign, minutes = ("-" if self._offset_ms < 0 else "+"), abs(self._offset_ms) // 60_000
        suffix = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        return [stamp + suffix for stamp in np.datetime_as_string(local).tolist()]

    def _message(self, row: "_Row", event_id: str, updated: str, reported: str, due: str) -> Sent:
        grid_code, shares, draw = self._grid_codes[row.grid], self._shares, row.draw
        report_id = f"{self.prefixes[row.origin]}{row.number:06d}"
        text = self.texts.compose(row.true, row.source, self._names[row.grid], draw)
        planted: tuple[tuple[str, str], ...] = ()
        if _part(draw, 20) < shares.personal:
            suffix, planted = self.texts.personal[(draw >> 30) % len(self.texts.personal)]
            text += suffix
        message: Message = {
            "schema_version": 1,
            "event_id": event_id,
            "report_id": report_id,
            "status": STATUSES[row.status],
            "reported_at": reported,
            "updated_at": updated,
            "grid_code": grid_code,
            "source": SOURCES[row.source],
            "text": text,
            "severity": row.severity,
        }
        if row.due:
            message["due_at"] = due
        if row.coded >= 0:
            message["source_type"] = self._source_types[row.coded]
        if row.person >= 0:
            message["event_type"] = self._codes[row.person]
        planted += self._add_optional(message, row)
        if row.kind == BAD:
            return self._bad(message, row, planted)
        kind = self._odd(message, row) if row.kind == ODD else KINDS[row.kind]
        value = _encode(message)
        return Sent(
            kind=kind,
            value=value,
            event_id=event_id,
            report_id=message["report_id"],
            grid=grid_code,
            status=message["status"],
            updated_at=message["updated_at"],
            type=self._codes[row.true],
            source_type=message.get("source_type"),
            person=message.get("event_type"),
            personal=_within(planted, value),
            astray=self._strays(row),
        )

    def _add_optional(self, message: Message, row: "_Row") -> tuple[tuple[str, str], ...]:
        """Adds optional fields, each decided by ten bits of the report's random number; returns their personal data."""
        shares, draw = self._shares, row.draw
        if _part(draw, 40) < shares.located:
            message["location"] = self._location(row)
        if row.satisfaction:
            message["satisfaction"] = row.satisfaction
        if row.step > 0:
            message["handler"] = f"{self._handlers[row.grid]}{self._codes[row.true] // 100}0{draw % 4}"
        if _part(draw, 50) < shares.reporter:
            message["reporter"] = f"u{draw % 900_001:06d}"
        if _part(draw * 7 + row.step * 131, 8) >= shares.unknown_field:
            return ()
        if draw % 5 == 0:
            planted = self.texts.personal[(draw >> 12) % len(self.texts.personal)]
            message["contact"] = {"note": planted.text}
            return planted.values
        message |= _UNKNOWN[draw % len(_UNKNOWN)]
        return ()

    def _location(self, row: "_Row") -> dict[str, Any]:
        """A location near the point of the grid, or near a point in another county if the report strays."""
        draw, crs = row.draw, CRSS[(1, 1, 1, 0, 2)[row.draw % 5]]
        grid = self._places.elsewhere[row.grid] if self._strays(row) else row.grid
        lon, lat = (self._places.gcj02 if crs == "gcj02" else self._places.wgs84)[grid].tolist()
        shift = (draw >> 33 & 0xFFF) * 2e-7
        return {"lon": round(lon + shift, 6), "lat": round(lat + shift, 6), "crs": crs}

    def _strays(self, row: "_Row") -> bool:
        astray = _part(row.draw * 13, 45) < self._shares.astray and _part(row.draw, 40) < self._shares.located
        return astray and bool(self._places.elsewhere[row.grid] >= 0)

    def _odd(self, message: Message, row: "_Row") -> str:
        """Makes the message odd, as a report of its own; returns its kind."""
        kind = ODD_KINDS[row.bad]
        message["report_id"] += f"-odd{row.step}"
        kind.twist(message)
        return f"odd:{kind.rule}"

    def _bad(self, message: Message, row: "_Row", planted: tuple[tuple[str, str], ...]) -> Sent:
        kind = BAD_KINDS[row.bad]
        message["report_id"] = f"{message['report_id']}-bad"
        value = kind.spoil(message)
        readable = kind.reason not in _UNREADABLE and kind.way != "event_id"
        return Sent(
            kind=f"bad:{kind.reason}",
            value=value,
            event_id=message["event_id"] if readable else None,
            report_id=message["report_id"],
            grid=message["grid_code"],
            status=message["status"],
            updated_at=message["updated_at"],
            type=self._codes[row.true],
            way=kind.way,
            personal=_within(planted, value),
        )


_UNREADABLE = frozenset({"empty", "too_large", "not_utf8", "not_json", "too_deep", "not_an_object"})
_NEEDED = ("draw", "due", "number", "origin", "grid", "true", "coded", "person", "status", "source", "severity",
           "satisfaction", "kind", "step", "bad")  # fmt: skip


class _Row(msgspec.Struct, gc=False):
    """A row as Python numbers: the fields of plan.ROW that rendering needs."""

    draw: int
    due: int
    number: int
    origin: int
    grid: int
    true: int
    coded: int
    person: int
    status: int
    source: int
    severity: int
    satisfaction: int
    kind: int
    step: int
    bad: int


def _within(planted: tuple[tuple[str, str], ...], value: bytes | None) -> tuple[tuple[str, str], ...]:
    """The planted personal data that the message still contains."""
    return tuple((kind, text) for kind, text in planted if value and text.encode() in value)


def _part(draw: int, shift: int) -> float:
    """Ten bits of a random number as a number in 0..1."""
    return (draw >> shift & 1023) * _UNIT
