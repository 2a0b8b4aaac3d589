"""What every source has in common: messages of the v1 contract, and an account of what was left out.

A source is a file today (`csv_source.py`) and may be an API: `Source` does not know how many rows will come.
"""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """The result of one row (`row` counts from 1): a message, or the `problem` that prevented it.

    category: the row's source_type if the crosswalk of the source does not list it; empty otherwise.
    """

    row: int
    message: Message | None
    problem: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """An oddity of the input that does not refuse rows: its count and up to ten examples.

    parts: the count by column, largest first; empty if columns do not matter.
    """

    id: str
    zh: str
    en: str
    count: int
    examples: tuple[str, ...]
    parts: dict[str, int] = field(default_factory=dict)


class Source(Protocol):
    """An opened input. `findings()` is complete once `messages()` is exhausted."""

    def messages(self) -> Iterator[Mapped]: ...

    def findings(self) -> tuple[FileFinding, ...]: ...


def stable_uuid(*parts: object) -> str:
    """The same UUID (version 5) for the same parts: a file that is read twice sends the same event_ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "gridstream:" + "/".join(map(str, parts))))


@dataclass
class Notes:
    """Collects findings while rows pass. `titles`: Chinese and English name by id of a finding."""

    titles: Mapping[str, tuple[str, str]]
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, name: str, example: str, part: str = "") -> None:
        """Counts one more `name`; `part` is the column in which it was seen."""
        self.counts[name] += 1
        if part:
            self.parts.setdefault(name, Counter())[part] += 1
        kept = self.examples.setdefault(name, [])
        if len(kept) < 10:
            kept.append(example)

    def findings(self) -> tuple[FileFinding, ...]:
        """The findings seen so far, in the order of `titles`."""
        return tuple(
            FileFinding(name, zh, en, self.counts[name], tuple(self.examples[name]), dict(parts.most_common()))
            for name, (zh, en) in self.titles.items()
            if self.counts[name]
            for parts in [self.parts.get(name, Counter[str]())]
        )
