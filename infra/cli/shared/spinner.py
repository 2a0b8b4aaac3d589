"""Show people the progress of long work: a spinner on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.text import Text

from infra.cli.shared.output import errors

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def spinner(first: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields `notify(text)`, which prints to stderr: finished steps stay, a passing message is replaced by the next."""
    if quiet:
        yield lambda _: None
    elif errors.is_terminal:
        with errors.status(Text(first)) as status:
            yield lambda text: status.update(Text(text)) if _is_passing(text) else errors.print(text, markup=False)
    else:
        yield _PlainLines().notify


def _is_passing(text: str) -> bool:
    """Whether the text reports work that goes on, such as `starting …` or a count of fetched jars."""
    return "…" in text or "fetching" in text


class _PlainLines:
    """For logs and pipes: passing messages at most every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def notify(self, text: str) -> None:
        now = time.monotonic()
        if _is_passing(text) and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        errors.print(text, markup=False)
