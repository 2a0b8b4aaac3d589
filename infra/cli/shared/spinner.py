"""Tell people how long work goes on: a spinner on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.cli.shared.output import errors

_PASSING = "…"  # a message that ends like this, or counts something, is replaced by the next one
_EVERY_SECONDS = 10.0


@contextmanager
def telling(first: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields `say(text)`. What is done stays on the screen; what goes on is shown while it does. On stderr."""
    if quiet:
        yield lambda _: None
    elif errors.is_terminal:
        with errors.status(first) as status:
            yield lambda text: status.update(text) if _passing(text) else errors.print(text, markup=False)
    else:
        yield _Lines().say


def _passing(text: str) -> bool:
    return _PASSING in text or "fetching" in text


class _Lines:
    """For logs and pipes: passing messages at most every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def say(self, text: str) -> None:
        now = time.monotonic()
        if _passing(text) and now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        errors.print(text, markup=False)
