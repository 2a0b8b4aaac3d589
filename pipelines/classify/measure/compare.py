"""Compares champion and challenger on the corpus's holdout and on people's recent corrections."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model, read_model, save_model
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.evaluate import Scores, score
from pipelines.classify.training.holdout import Data, split, unseen
from pipelines.errors import UserFault

RECENT_DAYS = 90  # older corrections say little about today's reports
MOST = 10_000  # corrections, newest first

_CORRECTIONS = """
SELECT text, toInt16(argMax(event_type, (updated_at, kafka_offset))) AS code
FROM events
WHERE decided_by = 'person' AND updated_at >= now() - toIntervalDay({days:UInt16}) AND text != ''
GROUP BY text
ORDER BY max(updated_at) DESC, text
LIMIT {most:UInt32}"""


@dataclass(frozen=True)
class Side:
    """The scores of a model. `fairness`: see `holdout.unseen`. `corrections`: None if there are
    none.
    """

    version: str
    fairness: str
    holdout: Scores
    corrections: Scores | None


@dataclass(frozen=True)
class Comparison:
    """`gain`: the challenger's accuracy on the holdout minus the champion's; `gain_corrections`:
    the same on corrections, None if there are none.
    """

    champion: Side
    challenger: Side

    @property
    def gain(self) -> float:
        return round(self.challenger.holdout.accuracy - self.champion.holdout.accuracy, 4)

    @property
    def gain_corrections(self) -> float | None:
        ours, theirs = self.challenger.corrections, self.champion.corrections
        return round(ours.accuracy - theirs.accuracy, 4) if ours and theirs else None


def corrections(client: Client, days: int = RECENT_DAYS) -> Corpus:
    """Texts whose type a person set in the last `days` days, each once, with the latest type."""
    rows = client.query(_CORRECTIONS, {"days": days, "most": MOST}).result_rows
    texts = pa.array([text for text, _ in rows], pa.string())
    return Corpus(texts, np.array([code for _, code in rows], np.int16))


def compare(champion: Model, challenger: Model, data: Data, corrected: Corpus | None = None) -> Comparison:
    """Scores of both models. On the holdout each is replaced by a model that has not seen it, if
    there is one (`holdout.unseen`); on corrections the models themselves are measured.
    """
    holdout = split(data.reports)[1]
    return Comparison(_side(champion, data, holdout, corrected), _side(challenger, data, holdout, corrected))


def _side(model: Model, data: Data, holdout: Corpus, corrected: Corpus | None) -> Side:
    measured, fairness = unseen(model, data)
    on_corrections = _scores(model, corrected) if corrected and len(corrected.labels) else None
    return Side(model.version, fairness, _scores(measured, holdout), on_corrections)


def _scores(model: Model, reports: Corpus) -> Scores:
    """Scores of a model on labelled reports, at its own threshold."""
    answer = model.predict(reports.texts)
    return score(reports.labels, answer.alternatives, answer.confidence, model.threshold)


def require_gain(comparison: Comparison, least: float) -> None:
    """Accept the challenger if it gains at least `least` on the holdout.

    Raises:
        UserFault: the gain is smaller, or the challenger may have seen the holdout.
    """
    challenger, champion = comparison.challenger, comparison.champion
    if challenger.fairness == "unknown":
        raise UserFault(
            f"模型 {challenger.version} 不是用本机语料训练的，可能见过留出集，请用本机语料训练"
            f" Model {challenger.version} was not trained on this installation's corpus, so it may have"
            " seen the holdout: train it with `gridstream model train`."
        )
    if comparison.gain < least:
        raise UserFault(
            f"未启用：模型 {challenger.version} 在留出集上比 {champion.version} 提高"
            f" {comparison.gain:+.4f}，不足 {least:+.4f}"
            f" not promoted: model {challenger.version} gains {comparison.gain:+.4f} over"
            f" {champion.version} on the holdout, less than the required {least:+.4f}."
        )


def install(challenger: Path, current: Path) -> tuple[str, Path | None]:
    """Make the model in `challenger` the current one, in one step. The model that it replaces is
    kept in the same folder as <version>.npz.

    Returns the new version, and the file of the replaced model (None if the shipped model was in
    use).

    Raises:
        UserFault: `challenger` is not a model file, or has another format or taxonomy.
    """
    model, before = load_model(challenger), read_model(current)
    kept = None
    if before is not None:
        kept = current.with_name(f"{before.version}.npz")
        if not kept.is_file():
            save_model(before, kept)
    save_model(model, current)
    return model.version, kept


def as_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison with its gains, as JSON."""
    return {
        "champion": comparison.champion,
        "challenger": comparison.challenger,
        "gain": comparison.gain,
        "gain_corrections": comparison.gain_corrections,
    }
