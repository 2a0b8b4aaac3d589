"""Times for states of which an export does not say when they began."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.clock import utc_now


@dataclass
class ExportTimes:
    """The time of an export, and the order of the rows of one report in it.

    An export holds the state of each report at the time of the export: a state without a time was still true then.
    `exported_at` is that time; if it is not given, it is the newest time in the file that is not in the future. So
    the same file gives the same times whenever it is read, and a later export gives later ones.

    If a file lists several steps of a report, only the last was still true at the export, and a step is newer than
    those before it.
    """

    exported_at: datetime | None = None
    _steps_left: Counter[str] = field(default_factory=Counter)  # rows by report that are still to come
    _newest: dict[str, datetime] = field(default_factory=dict)  # by report, of those with several rows

    def __post_init__(self) -> None:
        self._given = self.exported_at is not None

    def add(self, report: str, times: Iterable[datetime]) -> None:
        """Takes a row into account. To be called for all rows before the first call of `state`."""
        self._steps_left[report] += 1
        if not self._given:
            now = utc_now()
            past = [time for time in times if time <= now]
            self.exported_at = max((*past, *filter(None, [self.exported_at])), default=None)

    def begin(self, report: str) -> None:
        """To be called when the turn of a row comes."""
        self._steps_left[report] -= 1

    def state(self, report: str, not_before: datetime) -> datetime:
        """When the state of the current row of `report`, which has no time of its own, was true."""
        is_last = self._steps_left[report] <= 0
        time = max(not_before, self.exported_at or not_before) if is_last else not_before
        newest = self._newest.get(report)
        return max(time, newest + timedelta(milliseconds=1)) if newest else time

    def end(self, report: str, time: datetime) -> None:
        """Records the time that the current row of `report` was given."""
        if self._steps_left[report] > 0 or report in self._newest:
            self._newest[report] = max(time, self._newest.get(report, time))
