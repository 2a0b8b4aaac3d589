"""The kinds of expectations that the stream can check: their arguments, and which rows of a batch violate them.

Names and meaning are Great Expectations' own on SQL (a property test compares both): a null is never a violation,
except where the kind is about nulls. Whatever is not here (a kind, an argument, a condition, a `mostly` other than 1)
is refused when a suite is compiled.
"""

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipelines.intake.rules.columns import Columns
from pipelines.intake.rules.conditions import Condition, Value


class RuleKind(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all kinds share. `mostly`: at the level of rows, a rule that some may break is none."""

    mostly: Literal[1] = 1
    row_condition: Condition | None = None

    def columns(self) -> set[str]:
        """The columns that it reads."""
        return self._read() | (self.row_condition.columns() if self.row_condition else set())

    def violated(self, of: Columns) -> pa.Array:
        """One boolean or null a row; true where the row violates the expectation."""
        broken = self._broken(of)
        return pc.and_(broken, self.row_condition.holds(of)) if self.row_condition else broken

    def _read(self) -> set[str]:
        raise NotImplementedError

    def _broken(self, of: Columns) -> pa.Array:
        raise NotImplementedError


class OneColumn(RuleKind, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind that looks at the values of one column."""

    column: str

    def _read(self) -> set[str]:
        return {self.column}


class Null(OneColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """No value is given."""

    def _broken(self, of: Columns) -> pa.Array:
        return pc.is_valid(of[self.column])


class NotNull(OneColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every value is given."""

    def _broken(self, of: Columns) -> pa.Array:
        return pc.is_null(of[self.column])


class InSet(OneColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every value is one of `value_set`."""

    value_set: tuple[Value, ...]

    def _broken(self, of: Columns) -> pa.Array:
        column = of[self.column]
        inside = pc.is_in(column, pa.array(self.value_set, column.type))
        return pc.and_(pc.is_valid(column), pc.invert(inside))


class NotInSet(OneColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """No value is one of `value_set`."""

    value_set: tuple[Value, ...]

    def _broken(self, of: Columns) -> pa.Array:
        column = of[self.column]
        return pc.is_in(column, pa.array(self.value_set, column.type))


class Between(OneColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every value lies within the bounds, of which one may be missing; `strict` ones are outside."""

    min_value: int | float | None = None
    max_value: int | float | None = None
    strict_min: bool = False
    strict_max: bool = False

    def __post_init__(self) -> None:
        if self.min_value is None and self.max_value is None:
            raise ValueError("min_value and max_value are both missing")
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise ValueError("min_value is greater than max_value")

    def _broken(self, of: Columns) -> pa.Array:
        column = of[self.column]
        if self.min_value is None:
            return self._above(column)
        below = (pc.less_equal if self.strict_min else pc.less)(column, self.min_value)
        return below if self.max_value is None else pc.or_(below, self._above(column))

    def _above(self, column: pa.Array) -> pa.Array:
        return (pc.greater_equal if self.strict_max else pc.greater)(column, self.max_value)


class Greater(RuleKind, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`column_A` is greater than `column_B`, or equal when `or_equal`. Other ways to treat a pair with a null have
    different meanings on pandas and on SQL, so this one must be named."""

    column_A: str
    column_B: str
    ignore_row_if: Literal["either_value_is_missing"]
    or_equal: bool = False

    def _read(self) -> set[str]:
        return {self.column_A, self.column_B}

    def _broken(self, of: Columns) -> pa.Array:
        return (pc.less if self.or_equal else pc.less_equal)(of[self.column_A], of[self.column_B])


KINDS: Mapping[str, type[RuleKind]] = {
    "expect_column_values_to_be_null": Null,
    "expect_column_values_to_not_be_null": NotNull,
    "expect_column_values_to_be_in_set": InSet,
    "expect_column_values_to_not_be_in_set": NotInSet,
    "expect_column_values_to_be_between": Between,
    "expect_column_pair_values_a_to_be_greater_than_b": Greater,
}
