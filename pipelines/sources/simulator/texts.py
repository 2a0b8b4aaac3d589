"""Texts of reports: phrases of `phrases.yaml` and the examples of the taxonomy, expanded in advance."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from pipelines.sources.simulator.model import seeded
from pipelines.sources.simulator.personal import Planted, pool
from schemas.contract.v1 import SOURCES
from schemas.event_types import event_types

PATH = Path(__file__).with_name("phrases.yaml")
BODIES = 512  # texts per type
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


class Phrases(Struct, frozen=True, forbid_unknown_fields=True):
    slots: dict[str, tuple[str, ...]]
    openers: dict[str, Annotated[tuple[str, ...], Meta(min_length=1)]]
    types: dict[int, Annotated[tuple[str, ...], Meta(min_length=3)]]


@dataclass(frozen=True)
class Texts:
    """Pools of texts: `bodies` by type, `openers` by source (in the order of the contract)."""

    bodies: tuple[tuple[str, ...], ...]
    openers: tuple[tuple[str, ...], ...]
    personal: tuple[Planted, ...]

    def compose(self, kind: int, source: int, place: str, draw: int) -> str:
        """The text of a report; the same arguments give the same text."""
        bodies, openers = self.bodies[kind], self.openers[source]
        return openers[(draw >> 10) % len(openers)] + place + bodies[draw % len(bodies)]


@functools.cache
def texts(seed: int) -> Texts:
    """The pools of a seed; the first call takes about 0.3 s."""
    phrases, rng = msgspec.yaml.decode(PATH.read_bytes(), type=Phrases), seeded(seed, "texts")
    return Texts(
        bodies=tuple(_bodies(phrases, kind.code, kind.examples, rng) for kind in event_types()),
        openers=tuple(phrases.openers.get(name, ("",)) for name in SOURCES),
        personal=tuple(pool(rng)),
    )


def _bodies(phrases: Phrases, code: int, examples: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    templates = phrases.types[code]
    written = [_write_out(templates[i % len(templates)], phrases.slots, rng) for i in range(BODIES - len(examples))]
    return (*examples, *written)


def _write_out(template: str, slots: dict[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    def pick(options: tuple[str, ...] | list[str]) -> str:
        return options[int(rng.integers(len(options)))]

    text = _CHOICE.sub(lambda match: pick(match[1].split("|")), template)
    return _SLOT.sub(lambda match: pick(slots[match[1]]), text).rstrip("，")
