"""The check of drift and the outcome of retraining, as Dagster shows them."""

from datetime import date

import dagster as dg
import pytest

from dagster_project.classifier import POOL, drift_result, outcome_metadata
from dagster_project.definitions import defs
from pipelines.classify.measure.drift import Window, judged
from pipelines.classify.retrain import RetrainResult

DAY = date(2026, 3, 1)


def side(one: int, two: int) -> Window:
    return Window(DAY, DAY, {8: one, 9: two}, {101: one, 102: two})


@pytest.mark.parametrize(
    ("moved", "passed", "severity"),
    [(5000, True, "WARN"), (7000, False, "WARN"), (8500, False, "ERROR")],
)
def test_thresholds_become_warning_and_error(moved: int, passed: bool, severity: str) -> None:
    result = drift_result(judged("v", side(5000, 5000), side(moved, 10_000 - moved)))
    assert (result.passed, result.severity.value) == (passed, severity)
    bins = result.metadata["bins"].value
    assert {"kind": "type", "bin": "101", "reference": 5000, "current": moved} in [one.data for one in bins.records]


def test_small_counts_pass_and_say_so() -> None:
    result = drift_result(judged("v", side(5000, 5000), side(1, 2)))
    assert result.passed
    assert "too few" in str(result.description)
    assert "PSI of types" not in result.metadata


def test_an_outcome_without_training_says_why() -> None:
    told = outcome_metadata(RetrainResult(False, "not trained", 3, 1))
    assert (told["outcome"], told["promoted"], "model card" in told) == ("not trained", False, False)


def test_one_challenger_at_a_time() -> None:
    job = defs.resolve_job_def("retrain_classifier")
    assert [node.definition.pool for node in job.nodes if isinstance(node.definition, dg.OpDefinition)] == [POOL]
    assert "classifier_drift" in {key.name for key in defs.resolve_asset_graph().asset_check_keys}
