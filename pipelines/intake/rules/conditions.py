"""Row conditions: on which rows an expectation is checked at all, in the form that Great Expectations writes them.

As in SQL, a row for which a condition is null is left out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipelines.intake.rules.columns import Columns

Value: TypeAlias = str | int | float

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """A column within a condition."""

    name: str


class Comparison(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="comparison"):
    """Rows whose column compares with `parameter`, a list for IN and NOT_IN."""

    column: Named
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN"]
    parameter: Value | tuple[Value, ...]

    def __post_init__(self) -> None:
        if isinstance(self.parameter, tuple) != (self.operator in ("IN", "NOT_IN")):
            raise ValueError(f"operator {self.operator} with parameter {self.parameter}")

    def columns(self) -> set[str]:
        return {self.column.name}

    def holds(self, of: Columns) -> pa.Array:
        column = of[self.column.name]
        if not isinstance(self.parameter, tuple):
            return _COMPARE[self.operator](column, self.parameter)
        inside = pc.is_in(column, pa.array(self.parameter, column.type))
        return inside if self.operator == "IN" else pc.and_(pc.is_valid(column), pc.invert(inside))


class Nullity(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="nullity"):
    """Rows whose column is null, or is not."""

    column: Named
    is_null: bool

    def columns(self) -> set[str]:
        return {self.column.name}

    def holds(self, of: Columns) -> pa.Array:
        return (pc.is_null if self.is_null else pc.is_valid)(of[self.column.name])


class Both(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="and"):
    """Rows for which all of `conditions` hold."""

    conditions: tuple[Comparison | Nullity, ...]

    def columns(self) -> set[str]:
        return set().union(*(one.columns() for one in self.conditions))

    def holds(self, of: Columns) -> pa.Array:
        first, *others = (one.holds(of) for one in self.conditions)
        for other in others:
            first = pc.and_(first, other)
        return first


Condition: TypeAlias = Comparison | Nullity | Both
