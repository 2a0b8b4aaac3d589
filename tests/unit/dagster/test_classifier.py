"""The check of drift and the result of retraining in Dagster."""

from datetime import date

import dagster as dg
import pytest

from dagster_project.classifier import POOL, drift_result, result_metadata
from dagster_project.definitions import defs
from pipelines.classify.measure.drift import Window, judged
from pipelines.classify.retrain import RetrainResult

DAY = date(2026, 3, 1)


def window(first: int, second: int) -> Window:
    """So many reports in two bins of confidence and of type."""
    return Window(DAY, DAY, {8: first, 9: second}, {101: first, 102: second})


@pytest.mark.parametrize(
    ("moved", "passed", "severity"),
    [(5000, True, "WARN"), (7000, False, "WARN"), (8500, False, "ERROR")],
)
def test_thresholds_become_warning_and_error(moved: int, passed: bool, severity: str) -> None:
    result = drift_result(judged("v", window(5000, 5000), window(moved, 10_000 - moved)))
    assert (result.passed, result.severity.value) == (passed, severity)
    records = [record.data for record in result.metadata["bins"].value.records]
    assert {"kind": "type", "bin": "101", "reference": 5000, "current": moved} in records


def test_small_counts_pass_and_say_so() -> None:
    result = drift_result(judged("v", window(5000, 5000), window(1, 2)))
    assert result.passed
    assert "too few" in str(result.description)
    assert "PSI of types" not in result.metadata


def test_a_result_without_training_says_why() -> None:
    metadata = result_metadata(RetrainResult(False, "not trained", 3, 1))
    assert (metadata["outcome"], metadata["promoted"]) == ("not trained", False)
    assert "model card" not in metadata


def test_one_challenger_at_a_time() -> None:
    job = defs.resolve_job_def("retrain_classifier")
    assert [node.definition.pool for node in job.nodes if isinstance(node.definition, dg.OpDefinition)] == [POOL]
    assert "classifier_drift" in {key.name for key in defs.resolve_asset_graph().asset_check_keys}
