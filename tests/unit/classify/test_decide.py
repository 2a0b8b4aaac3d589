"""Which layer decides: person, crosswalk, model, fallback, in this order."""

import pyarrow as pa
import pytest

from pipelines.classify import Decisions, Model, decide
from pipelines.classify.decide import LAYERS

GARBAGE = "小区门口的垃圾好几天没人清运"
ROWS = [
    # event_type, source_type, text -> decided_by, event_type
    (609, "sim/201", GARBAGE, "person", 609),
    (None, "sim/201", GARBAGE, "crosswalk", 201),
    (None, "nowhere/1", GARBAGE, "model", 401),
    (None, None, GARBAGE, "model", 401),
    (None, None, "", "fallback", 999),
    (None, None, None, "fallback", 999),
    (999, None, GARBAGE, "person", 999),
]


def _table(rows: list[tuple[int | None, str | None, str | None, str, int]] = ROWS) -> pa.Table:
    return pa.table(
        {
            "event_type": pa.array([row[0] for row in rows], pa.uint16()),
            "source_type": pa.array([row[1] for row in rows], pa.string()),
            "text": pa.array([row[2] for row in rows], pa.string()),
        }
    )


@pytest.mark.parametrize("ask_always", [False, True])
def test_the_layers_in_their_order(shipped: Model, ask_always: bool) -> None:
    decisions = decide(shipped, _table(), ask_always=ask_always)
    layers, confidences = decisions.decided_by.to_pylist(), decisions.confidence.to_pylist()
    assert layers == [row[3] for row in ROWS]
    assert decisions.event_type.to_pylist() == [row[4] for row in ROWS]
    for layer, confidence in zip(layers, confidences, strict=True):
        assert (confidence == 1) == (layer in LAYERS[:2])


def test_the_model_reads_only_undecided_rows(shipped: Model) -> None:
    def sizes(ask_always: bool) -> list[int]:
        decisions = decide(shipped, _table(), ask_always=ask_always)
        return [len(three) for three in decisions.alternatives.to_pylist()]

    assert sizes(ask_always=False) == [0, 0, 3, 3, 3, 3, 0]
    assert sizes(ask_always=True) == [3] * len(ROWS)


def test_below_the_threshold_is_the_fallback_with_the_best_three(shipped: Model) -> None:
    decisions = decide(shipped, _table(), threshold=1.0)
    assert decisions.event_type.to_pylist()[2:4] == [999, 999]
    assert decisions.decided_by.to_pylist()[2] == "fallback"
    assert decisions.alternatives.to_pylist()[2][0] == 401
    assert decisions.confidence[2] == decisions.alternative_confidence[2][0]


def test_a_threshold_of_zero_always_answers(shipped: Model) -> None:
    unsure = [(None, None, "你好", "model", 0)]
    assert decide(shipped, _table(unsure), threshold=0.0).decided_by.to_pylist() == ["model"]


def test_types_of_the_columns(shipped: Model) -> None:
    for table in (_table(), _table([])):
        decisions = decide(shipped, table)
        assert [column.type for column in decisions] == [
            pa.uint16(),
            pa.float32(),
            pa.string(),
            pa.list_(pa.uint16()),
            pa.list_(pa.float32()),
        ]
        assert {len(column) for column in decisions} == {table.num_rows}
        assert all(column.null_count == 0 for column in decisions)


def test_batches_slices_and_chunks_are_decided_the_same(shipped: Model) -> None:
    whole = decide(shipped, _table())
    chunked = pa.concat_tables([_table().slice(0, 3), _table().slice(3)])
    batch = _table().combine_chunks().to_batches()[0]
    for other in (chunked, batch):
        assert _columns(decide(shipped, other)) == _columns(whole)
    part = decide(shipped, batch.slice(2, 3))
    assert part.event_type.to_pylist() == whole.event_type.to_pylist()[2:5]


def _columns(decisions: Decisions) -> list[list[object]]:
    return [column.to_pylist() for column in decisions]
