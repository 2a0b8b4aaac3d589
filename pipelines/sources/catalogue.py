"""The registered sources. A new one: its module, its crosswalk, and a line here."""

from datetime import datetime
from pathlib import Path

from pipelines.errors import UserFault
from pipelines.sources.csv_source import CsvSource
from pipelines.sources.files.boston311 import Boston311
from pipelines.sources.files.pingshan import Pingshan

SOURCES: dict[str, type[CsvSource]] = {source.name: source for source in (Pingshan, Boston311)}


def open_source(name: str, path: Path, exported_at: datetime | None = None) -> CsvSource:
    """Opens a file as the input of a source; `exported_at` is the time of the export, if it is known.

    Raises:
        UserFault: no such source, or the file is not what the source expects.
    """
    if name not in SOURCES:
        raise UserFault(f"没有这个来源 no such source: {name}; 已有 known: {', '.join(SOURCES)}")
    return SOURCES[name](path, exported_at)
