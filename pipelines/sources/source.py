"""The seam every source goes through: rows of a file become v1 messages, and no row is lost.

A new source is one module with an adapter, one crosswalk (`schemas/crosswalks/<name>.yaml`) and one
entry in `pipelines/sources/catalogue.py`.
"""

import csv
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import UserFault

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one data row (`row` counts from 1): a message, or the `problem` that kept it from
    being one. `category` is the row's source_type where its crosswalk does not list it."""

    row: int
    message: Message | None
    problem: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """Something odd in a file that is no reason to refuse rows: how often, and up to ten examples. `parts`: the count
    by column, the largest first; empty where columns do not matter."""

    id: str
    zh: str
    en: str
    count: int
    examples: tuple[str, ...]
    parts: dict[str, int] = field(default_factory=dict)


class Source(Protocol):
    """An opened input. `rows` is their number; `findings()` is complete once `messages()` is exhausted."""

    @property
    def rows(self) -> int: ...

    def messages(self) -> Iterator[Mapped]: ...

    def findings(self) -> tuple[FileFinding, ...]: ...


@dataclass(frozen=True)
class SourceKind:
    """A registered source: `open(path)` raises UserFault where the file is not what it should be."""

    name: str
    zh: str
    en: str
    open: Callable[[Path], Source]


@dataclass(frozen=True)
class CsvFile:
    """A checked CSV file: UTF-8 (a BOM is allowed), a header with at least `columns`."""

    path: Path
    header: tuple[str, ...]
    rows: int

    def records(self) -> Iterator[tuple[int, dict[str, str] | str]]:
        """Each data row by number: its fields, or what is wrong with its shape."""
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            next(reader)
            for number, values in enumerate((row for row in reader if row), start=1):
                if len(values) == len(self.header):
                    yield number, dict(zip(self.header, values, strict=True))
                else:
                    yield number, f"{len(values)} fields instead of {len(self.header)}"


def mapped_rows(
    file: CsvFile, convert: Callable[[dict[str, str]], Message], knows: Callable[[str], bool]
) -> Iterator[Mapped]:
    """Every data row of `file` through `convert`, which raises UserFault for a row that can be no message.

    knows: whether the source's crosswalk lists a source_type.
    """
    for number, record in file.records():
        try:
            if isinstance(record, str):
                raise UserFault(record)
            message = convert(record)
        except UserFault as problem:
            yield Mapped(number, None, str(problem))
            continue
        category = message["source_type"]
        yield Mapped(number, message, category="" if knows(category) else category)


def open_csv(path: Path, columns: tuple[str, ...]) -> CsvFile:
    """Reads the whole file once, so that a fault is found before anything is sent.

    Raises:
        UserFault: missing, unreadable, empty, not UTF-8, not CSV, or without one of `columns`.
    """
    if not path.is_file():
        raise UserFault(f"没有这个文件 no such file: {path}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = tuple(next(reader, ()))
            rows = sum(1 for row in reader if row)
    except OSError as error:
        raise UserFault(f"{path}: 无法读取 cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserFault(
            f"{path}: 不是 UTF-8 编码 not UTF-8 at byte {error.start}; convert it, e.g. from GB18030"
        ) from error
    except csv.Error as error:
        raise UserFault(f"{path}: 不是 CSV not CSV: {error}") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserFault(f"{path}: 缺少列 columns missing: {', '.join(missing)}")
    twice = sorted(name for name, times in Counter(header).items() if times > 1)
    if twice:
        raise UserFault(f"{path}: 列名重复 columns named twice: {', '.join(twice)}")
    return CsvFile(path, header, rows)


def stable_uuid(*parts: object) -> str:
    """The same UUID (version 5) for the same parts: a file read twice sends the same event_ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "gridstream:" + "/".join(map(str, parts))))


@dataclass
class Notes:
    """Collects findings while rows pass."""

    titles: dict[str, tuple[str, str]]
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, name: str, example: str, part: str = "") -> None:
        """One more of `name`; `part`: the column it was seen in."""
        self.counts[name] += 1
        if part:
            self.parts.setdefault(name, Counter())[part] += 1
        kept = self.examples.setdefault(name, [])
        if len(kept) < 10:
            kept.append(example)

    def found(self) -> tuple[FileFinding, ...]:
        return tuple(
            FileFinding(name, zh, en, self.counts[name], tuple(self.examples[name]), self._parts(name))
            for name, (zh, en) in self.titles.items()
            if self.counts[name]
        )

    def _parts(self, name: str) -> dict[str, int]:
        return dict(self.parts.get(name, Counter()).most_common())
