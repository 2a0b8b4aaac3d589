"""The kinds of faults, and how each is handled.

* A **data fault** is an error in a message: the message goes to quarantine and the stream
  continues. It is a value (`schemas.reasons`), not an exception, because one bad row must not end a
  batch.
* A **transient fault** is an error of a service: the work is retried, and no data is called bad.
* A **position fault** is about offsets: to continue would lose or duplicate messages, so the stream
  stops with an alarm until a person decides.
* A **defect** is a bug: an unforeseen error. The work is retried, because nothing is lost by
  waiting and a fixed program continues from there; but it is reported as a bug, which no service
  will resolve.
* A **user fault** is wrong input from a person: one clear line and exit code 2.

People read the text of user faults and position faults, so it is Chinese first, then English. It
may name the `gridstream` command or the GRIDSTREAM_ variable that helps, although this layer is
below the command line: what to do next is worth more to the reader than layers. No code depends on
these texts. The texts of the other faults go to logs and are English.
"""

import traceback
from pathlib import Path


class GridstreamError(Exception):
    """Base of all errors that this project raises on purpose; its text is one line."""


class TransientFault(GridstreamError):
    """A service is down, full or overloaded; the same work may succeed later."""


class Defect(TransientFault):
    """An unforeseen error, with the place where it was raised. Retried like a transient fault,
    reported as a bug."""

    @classmethod
    def of(cls, error: BaseException) -> "Defect":
        """The error and where it was raised, in one line."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        text = first_line(error)
        name = type(error).__name__
        return cls((name if text == name else f"{name}: {text}") + where)


class PositionFault(GridstreamError):
    """Offsets are missing, overlap, or belong to another topic: do not continue without a person's
    decision."""


class Fenced(PositionFault):
    """A newer stream process is the writer; this process must end."""


class UserFault(GridstreamError):
    """Wrong input from a person; the text says what to do next."""


def first_line(error: BaseException) -> str:
    """The first non-empty line of an error's text, at most 300 characters; the name of its type if
    it has no text."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)[:300]
