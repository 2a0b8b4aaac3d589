"""Kinds of fault and their fates.

A **data fault** is the message's own: it goes to quarantine and the stream goes on. It is a value
(`schemas.reasons`), not an exception, because one bad row must not end a batch.
A **transient fault** is a service's: the work is tried again, and nothing is called bad data.
A **position fault** is about where in the stream we are: going on would lose or double something,
so the stream stops with a clear alarm until a person decides.
A **defect** is our own: an error that nobody foresaw. The work is tried again, since nothing is lost by waiting and a
mended program goes on from there, but people are told that no service will mend it.
A **user fault** is a person's mistake at the keyboard: one clear line and exit code 2.
"""

import traceback
from pathlib import Path


class GridstreamError(Exception):
    """Base of all errors this project raises on purpose; its text is one line for people."""


class TransientFault(GridstreamError):
    """A service is down, full or overloaded; the same work may succeed later."""


class Defect(TransientFault):
    """An error that nobody foresaw; its text says where. Tried again like a transient fault, and told as what it is."""

    @classmethod
    def of(cls, error: BaseException) -> "Defect":
        """What was raised and where, in one line."""
        at = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(at[-1].filename).name}:{at[-1].lineno})" if at else ""
        text = first_line(error)
        name = type(error).__name__
        return cls((name if text == name else f"{name}: {text}") + where)


class PositionFault(GridstreamError):
    """Offsets are missing, overlap, or belong to another topic: do not go on by yourself."""


class Fenced(PositionFault):
    """A newer stream process has taken over writing; this one must end."""


class UserFault(GridstreamError):
    """Wrong input from a person; the text says what to do next."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 300 characters; its type when it says nothing."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)[:300]
