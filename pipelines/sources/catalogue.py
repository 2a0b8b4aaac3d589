"""The registered sources. Adding one: its module, its crosswalk, and a line here."""

from pathlib import Path

from pipelines.errors import UserFault
from pipelines.sources.files.boston311 import open_boston311
from pipelines.sources.files.pingshan import open_pingshan
from pipelines.sources.source import Source, SourceKind

SOURCES: dict[str, SourceKind] = {
    kind.name: kind
    for kind in (
        SourceKind("pingshan", "深圳坪山民生诉求 2018", "Pingshan citizen demands, 2018", open_pingshan),
        SourceKind("boston311", "波士顿 311 服务请求", "Boston 311 service requests", open_boston311),
    )
}


def open_source(name: str, path: Path) -> Source:
    """Opens a file as a source's input.

    Raises:
        UserFault: no such source, or the file is not what the source expects.
    """
    if name not in SOURCES:
        raise UserFault(f"没有这个来源 no such source: {name}; known: {', '.join(SOURCES)}")
    return SOURCES[name].open(path)
