"""The text model as Dagster sees it: a job that retrains it from people's corrections, and a check of drift.

Both run in a process of their own and import the engine (numba, scikit-learn) only there: the code location stays
light.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from pipelines.clock import now

if TYPE_CHECKING:
    from pipelines.classify.measure.drift import Drift
    from pipelines.classify.retrain import RetrainResult

POOL = "model"  # one at a time: two challengers would both beat the same champion
MODEL = dg.AssetKey("text_model")


class Gains(dg.Config):
    """What a challenger must show to be promoted; see `pipelines.classify.retrain.Demands`."""

    corrections: int = Field(default=30, ge=1, description="至少多少条留出的更正 fewest held-out corrections")
    gain: float = Field(default=0.02, ge=-1, le=1, description="更正上准确率至少提高 least gain on corrections")
    holdout: float = Field(default=-0.005, ge=-1, le=1, description="留出集准确率至少提高 least gain on the holdout")


@dg.op(pool=POOL, retry_policy=RETRIES)
def train_challenger(context: dg.OpExecutionContext, services: Services, config: Gains) -> None:
    """Train on the corpus and on corrections, compare with the champion, promote on the gain that the config states."""
    from pipelines.classify.measure.compare import corrections
    from pipelines.classify.retrain import Demands, retrain

    with faults():
        with services.clickhouse("engineer") as client:
            corrected = corrections(client)
        context.log.info(f"{len(corrected.labels)} corrections of people")
        outcome = retrain(corrected, services.settings.model, Demands(**config.model_dump()))
    context.log.info(outcome.message)
    context.add_output_metadata(outcome_metadata(outcome))
    if outcome.promoted:
        context.log_event(dg.AssetMaterialization(MODEL, outcome.message, outcome_metadata(outcome)))
    else:
        context.log_event(dg.AssetObservation(MODEL, outcome.message, metadata=outcome_metadata(outcome)))


def outcome_metadata(outcome: "RetrainResult") -> dict[str, Any]:
    """The outcome in one line, what was learnt from and measured on, the gains and the card."""
    told: dict[str, Any] = {
        "outcome": outcome.message,
        "promoted": outcome.promoted,
        "corrections learnt from": outcome.learnt,
        "corrections measured on": outcome.measured,
    }
    if outcome.card is None or outcome.comparison is None:
        return told
    found = outcome.comparison
    sides = {"champion": found.champion, "challenger": found.challenger}
    for name, side in sides.items():
        told[f"{name}: version measured"] = side.version
        told[f"{name}: accuracy on the holdout"] = round(side.holdout.accuracy, 4)
        if side.corrections:
            told[f"{name}: accuracy on corrections"] = round(side.corrections.accuracy, 4)
    gains = {"gain on the holdout": found.gain, "gain on corrections": found.gain_corrections or 0.0}
    return (
        told | gains | {"model card": dg.MetadataValue.path(outcome.card), "challenger: version": outcome.version or ""}
    )


@dg.job(
    description="重新训练文本模型：语料加人工更正；达到所定的提高才启用\n\n"
    "Retrain the text model from the corpus and people's corrections; promoted only on the gain stated in the config."
)
def retrain_classifier() -> None:
    train_challenger()


@dg.asset_check(asset="events", retry_policy=RETRIES)
def classifier_drift(services: Services) -> dg.AssetCheckResult:
    """近 7 天的置信度与类型构成对模型启用之初的 14 天（PSI）。

    Population stability of the model's confidence and of type shares: the last 7 days against the first 14 days of
    this model version. At .1 a warning, at .25 an error; fewer than 2,000 reports in a window say nothing.
    """
    from pipelines.classify.measure.drift import measure_drift
    from pipelines.classify.modelfile import current_model

    with faults(), services.clickhouse("engineer") as client:
        return drift_result(measure_drift(client, current_model(services.settings.model).version, now().date()))


def drift_result(found: "Drift") -> dg.AssetCheckResult:
    """Passed unless a threshold is reached; the bins are in the metadata."""
    from pipelines.classify.measure.drift import DriftState

    severe = found.state is DriftState.ALARM
    figures = {"state": found.state.value, "model version": found.version, "bins": _bins(found)}
    indices = {"PSI of confidence": found.confidence, "PSI of types": found.types}
    windows = {"reports in the reference": found.reference.reports, "reports in the last 7 days": found.current.reports}
    return dg.AssetCheckResult(
        passed=found.state in (DriftState.STEADY, DriftState.TOO_FEW),
        severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        description="上报太少，不作判断 too few reports to tell" if found.state is DriftState.TOO_FEW else None,
        metadata=figures | windows | {name: value for name, value in indices.items() if value is not None},
    )


def _bins(found: "Drift") -> dg.TableMetadataValue:
    records = [
        _record(kind, bin_, before.get(bin_, 0), after.get(bin_, 0))
        for kind, before, after in (
            ("confidence (tenth)", found.reference.confidence, found.current.confidence),
            ("type", found.reference.types, found.current.types),
        )
        for bin_ in sorted(before.keys() | after.keys())
    ]
    columns = [dg.TableColumn("kind"), dg.TableColumn("bin"), dg.TableColumn("reference", "int")]
    schema = dg.TableSchema([*columns, dg.TableColumn("current", "int")])
    return dg.MetadataValue.table(records, schema)


def _record(kind: str, bin_: int, reference: int, current: int) -> dg.TableRecord:
    return dg.TableRecord({"kind": kind, "bin": str(bin_), "reference": reference, "current": current})
