"""Row rules of a suite as checks on Arrow batches: all rules are evaluated on all rows, each broken one is reported."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.intake.rules.columns import Columns, available
from pipelines.intake.rules.kinds import KINDS, RuleKind
from schemas.expectations import Expectation, Severity, Suite, suites


class Checks(NamedTuple):
    """Compiled rules of one severity, the most important first: `rules` are their ids."""

    rules: tuple[str, ...]
    kinds: tuple[RuleKind, ...]

    def broken(self, of: Columns) -> NDArray[np.bool_]:
        """One row a rule, one column a row of `of`: whether it breaks the rule."""
        found = np.zeros((len(self.kinds), of.rows.num_rows), np.bool_)
        for row, kind in zip(found, self.kinds, strict=True):
            row[:] = np.asarray(pc.fill_null(kind.violated(of), False))
        return found

    def named(self, broken: NDArray[np.bool_]) -> pa.Array:
        """The ids of the rules that each row breaks, as a list column."""
        rows, numbers = np.nonzero(broken.T)
        ends = np.searchsorted(rows, np.arange(broken.shape[1] + 1))
        names = pa.array(self.rules, pa.string()).take(pa.array(numbers))
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names)


@cache
def row_checks(severity: Severity, own: tuple[str, ...]) -> Checks:
    """The row rules of `severity`, for rows that have the columns `own`.

    Raises:
        ValueError: see `compiled`; or a suite other than that of `events` has row rules.
    """
    for table, suite in suites().items():
        if table != "events" and suite.of_level("row"):
            raise ValueError(f"{table}: only events pass through the stream, so only they have row rules")
    return compiled(suites()["events"], severity, available(own))


def compiled(suite: Suite, severity: Severity, columns: Collection[str]) -> Checks:
    """The row rules of `severity`, for rows that offer `columns`.

    Raises:
        ValueError: a rule has a kind, an argument, a condition or a column that the stream does not know.
    """
    rules = [one for one in suite.of_level("row") if one.severity == severity]
    return Checks(tuple(one.rule for one in rules), tuple(_kind(one, columns) for one in rules))


def _kind(one: Expectation, columns: Collection[str]) -> RuleKind:
    kind = KINDS.get(one.type)
    if kind is None:
        raise ValueError(f"{one.rule}: the stream cannot check {one.type}; it knows {', '.join(KINDS)}")
    try:
        made = msgspec.convert(one.kwargs, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{one.rule}: the stream cannot check {one.type} like this: {error}") from error
    if unknown := sorted(made.columns() - set(columns)):
        raise ValueError(f"{one.rule}: the stream has no column {', '.join(unknown)}")
    return made


def ids(checks: Checks, broken: NDArray[np.bool_], rows: Iterable[int]) -> Sequence[tuple[str, ...]]:
    """The ids of the rules that each of `rows` breaks."""
    return [tuple(checks.rules[number] for number in np.flatnonzero(broken[:, row])) for row in rows]
