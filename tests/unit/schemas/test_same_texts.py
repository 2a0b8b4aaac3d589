"""The decoder accepts what the published JSON Schema accepts, and nothing else, on hundreds of hostile documents."""

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from pipelines.intake.decode import Limits, decode
from pipelines.privacy.depth import deeper_than
from schemas.contract.publish import FOLDER
from tests.support.fuzz import CHANGES
from tests.support.messages import message, records

SCHEMA = json.loads((FOLDER / "report.v1.schema.json").read_text("utf-8"))


def _ecma_pattern(validator: Any, pattern: str, instance: Any, schema: Mapping[str, Any]) -> Any:
    """`$` of ECMA-262, which JSON Schema uses, is the end of the text; in Python a line feed may follow."""
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


VALIDATOR = validators.extend(Draft202012Validator, {"pattern": _ecma_pattern})(SCHEMA)
TIMES = ("reported_at", "updated_at", "due_at")


@pytest.mark.parametrize("value", [2.0, 2, True, 2.5, "2", 1e300])
def test_an_integer_is_a_number_without_a_fraction(value: Any) -> None:
    """As in JSON Schema, where 2.0 is an integer."""
    assert _decoder_accepts(message(severity=value)) == VALIDATOR.is_valid(message(severity=value))


@given(st.integers(0, 2**32))
def test_both_accept_the_same(seed: int) -> None:
    random, document = Random(seed), message()
    for _ in range(random.randint(1, 3)):
        random.choice(CHANGES)(random, document)
    # JSON Schema cannot say whether a text of the right form is a time, nor how deeply a document may be nested.
    document = {name: value for name, value in document.items() if name not in TIMES} | {
        name: message()[name] for name in ("reported_at", "updated_at")
    }
    if not deeper_than(document, Limits().max_depth):
        assert _decoder_accepts(document) == VALIDATOR.is_valid(document), document


def _decoder_accepts(document: dict[str, Any]) -> bool:
    return bool(decode(records(json.dumps(document).encode())).good.num_rows)
