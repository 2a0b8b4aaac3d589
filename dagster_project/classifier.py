"""The text model in Dagster: a job that retrains it from people's corrections, and a check of
drift.

Both run in a separate process and import the engine (numba, scikit-learn) only there, so that the
code location stays small.
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

POOL = "model"  # one run at a time: two challengers could both replace the same champion
MODEL = dg.AssetKey("text_model")


class Gains(dg.Config):
    """What a challenger must reach to be promoted; see `pipelines.classify.retrain.Demands`."""

    corrections: int = Field(default=30, ge=1, description="至少多少条留出的更正 fewest held-out corrections")
    gain: float = Field(default=0.02, ge=-1, le=1, description="更正上准确率至少提高 least gain on corrections")
    holdout: float = Field(
        default=-0.005,
        ge=-1,
        le=1,
        description="留出集准确率至少提高 least gain on the holdout",
    )


@dg.op(pool=POOL, retry_policy=RETRIES)
def train_challenger(context: dg.OpExecutionContext, services: Services, config: Gains) -> None:
    """Train on the corpus and on corrections, compare with the champion, and promote if the gain
    reaches what the config states.
    """
    from pipelines.classify.measure.compare import corrections
    from pipelines.classify.retrain import Demands, retrain

    with faults():
        with services.clickhouse("engineer") as client:
            corrected = corrections(client)
        context.log.info(f"{len(corrected.labels)} corrections")
        result = retrain(corrected, services.settings.model, Demands(**config.model_dump()))
    context.log.info(result.message)
    metadata = result_metadata(result)
    context.add_output_metadata(metadata)
    if result.promoted:
        context.log_event(dg.AssetMaterialization(MODEL, result.message, metadata))
    else:
        context.log_event(dg.AssetObservation(MODEL, result.message, metadata=metadata))


def result_metadata(result: "RetrainResult") -> dict[str, Any]:
    """The message, how many corrections were trained on and measured on, the scores, gains and
    card.
    """
    metadata: dict[str, Any] = {
        "outcome": result.message,
        "promoted": result.promoted,
        "corrections learnt from": result.learnt,
        "corrections measured on": result.measured,
    }
    comparison = result.comparison
    if result.card is None or comparison is None:
        return metadata
    sides = {"champion": comparison.champion, "challenger": comparison.challenger}
    for name, side in sides.items():
        metadata[f"{name}: version measured"] = side.version
        metadata[f"{name}: accuracy on the holdout"] = round(side.holdout.accuracy, 4)
        if side.corrections:
            metadata[f"{name}: accuracy on corrections"] = round(side.corrections.accuracy, 4)
    return metadata | {
        "gain on the holdout": comparison.gain,
        "gain on corrections": comparison.gain_corrections or 0.0,
        "model card": dg.MetadataValue.path(result.card),
        "challenger: version": result.version or "",
    }


@dg.job(
    description="重新训练文本模型：语料加人工更正；达到所定的提高才启用\n\n"
    "Retrain the text model from the corpus and people's corrections; the challenger is promoted only if its"
    " gain reaches what the config states."
)
def retrain_classifier() -> None:
    train_challenger()


@dg.asset_check(asset="events", retry_policy=RETRIES)
def classifier_drift(services: Services) -> dg.AssetCheckResult:
    """近 7 天的置信度与类型构成对模型启用之初的 14 天（PSI）。

    Population stability index of the model's confidence and of type shares: the last 7 days against
    the first 14 days of this model version. Warning at .1, error at .25; no verdict if a window has
    fewer than 2,000 reports.
    """
    from pipelines.classify.measure.drift import measure_drift
    from pipelines.classify.modelfile import current_model

    with faults(), services.clickhouse("engineer") as client:
        version = current_model(services.settings.model).version
        return drift_result(measure_drift(client, version, now().date()))


def drift_result(drift: "Drift") -> dg.AssetCheckResult:
    """Passed unless a threshold is reached; the bins are in the metadata."""
    from pipelines.classify.measure.drift import DriftState

    alarm, too_few = drift.state is DriftState.ALARM, drift.state is DriftState.TOO_FEW
    indices = {"PSI of confidence": drift.confidence, "PSI of types": drift.types}
    return dg.AssetCheckResult(
        passed=drift.state is DriftState.STEADY or too_few,
        severity=dg.AssetCheckSeverity.ERROR if alarm else dg.AssetCheckSeverity.WARN,
        description="上报太少，不作判断 too few reports for a verdict" if too_few else None,
        metadata={
            "state": drift.state.value,
            "model version": drift.version,
            "bins": _bins(drift),
            "reports in the reference": drift.reference.reports,
            "reports in the last 7 days": drift.current.reports,
            **{name: value for name, value in indices.items() if value is not None},
        },
    )


def _bins(drift: "Drift") -> dg.TableMetadataValue:
    """Reports of each bin in both windows."""
    reference, current = drift.reference, drift.current
    counts = {
        "confidence (tenth)": (reference.confidence, current.confidence),
        "type": (reference.types, current.types),
    }
    records = [
        dg.TableRecord(
            {
                "kind": kind,
                "bin": str(bin_),
                "reference": before.get(bin_, 0),
                "current": after.get(bin_, 0),
            }
        )
        for kind, (before, after) in counts.items()
        for bin_ in sorted(before.keys() | after.keys())
    ]
    columns = [dg.TableColumn("kind"), dg.TableColumn("bin")]
    columns += [dg.TableColumn(name, "int") for name in ("reference", "current")]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))
