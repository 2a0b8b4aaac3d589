"""When so much is refused that something must be broken upstream: the decision of the circuit breaker. Pure.

It looks at single messages in offset order, not at chunks or batches, so that the same messages always open it at the
same place. It opens at a message when of the latest `window` messages of the partition (at least `minimum`, when
there are no more) the share `ratio` or more is refused, or when `run` messages in a row are.
"""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Refused = NDArray[np.bool_]  # one per message, in offset order: whether it was refused


class PackedRefused(NamedTuple):
    """`Refused` on its way to the tasks: 50 bytes for 10,000 messages that were all accepted, in place of 10 KB."""

    messages: int
    bits: bytes

    @classmethod
    def of(cls, refused: Refused) -> "PackedRefused":
        return cls(len(refused), zlib.compress(np.packbits(refused).tobytes()))

    def unpack(self) -> Refused:
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        return np.unpackbits(bits, count=self.messages).astype(np.bool_)


@dataclass(frozen=True)
class Breaker:
    """The limits; `window` 0 means no limit by ratio, `run` 0 none by run length."""

    ratio: float = 0.3
    window: int = 10_000
    minimum: int = 500
    run: int = 2_000

    @property
    def memory(self) -> int:
        """How many of the latest messages decide about the next one."""
        return max(self.window, self.run)

    def opens(self, before: Refused, fresh: Refused) -> "Opening | None":
        """Whether it opens within `fresh`, which follow the messages of `before`; where it does first."""
        refused = np.concatenate([self.remember(before, before[:0]), fresh])
        start = len(refused) - len(fresh)
        found = []
        for hit, span in (self._by_ratio(refused), self._by_run(refused)):
            hits = np.flatnonzero(hit[start:])
            found += [(int(at), int(span[start + at])) for at in hits[:1]]
        if not found:
            return None
        at, messages = min(found)
        last = start + at + 1
        return Opening(at, messages, int(np.count_nonzero(refused[last - messages : last])))

    def remember(self, before: Refused, fresh: Refused) -> Refused:
        """What is to be passed as `before` next time."""
        return np.concatenate([before, fresh])[-self.memory :] if self.memory else before[:0]

    def _by_ratio(self, refused: Refused) -> tuple[Refused, NDArray[np.int64]]:
        span = np.minimum(np.arange(1, len(refused) + 1), self.window)
        share = _refused_within(refused, span) / np.maximum(span, 1)
        return (span >= max(1, min(self.minimum, self.window))) & (share >= self.ratio), span

    def _by_run(self, refused: Refused) -> tuple[Refused, NDArray[np.int64]]:
        span = np.minimum(np.arange(1, len(refused) + 1), self.run)
        return (span > 0) & (span == self.run) & (_refused_within(refused, span) == self.run), span


class Opening(NamedTuple):
    """It opened at message `at` of those given: of the `messages` up to it, `refused` were refused."""

    at: int
    messages: int
    refused: int


def _refused_within(refused: Refused, span: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the `span[i]` messages up to and with message i were refused."""
    total = np.concatenate([[0], np.cumsum(refused)])
    ends = np.arange(1, len(refused) + 1)
    return np.asarray(total[ends] - total[ends - span])
