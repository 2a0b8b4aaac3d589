"""Champion against challenger: on the holdout of the corpus, and on what people corrected lately."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model, previous_model, save_model
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.evaluate import Scores, score
from pipelines.classify.training.holdout import Data, split, unseen
from pipelines.errors import UserFault

LATELY = 90  # days; a correction older than that says little about today's reports
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
    """One model's scores. `fairness`: see `holdout.unseen`. `corrections` is None where there are none."""

    version: str
    fairness: str
    holdout: Scores
    corrections: Scores | None


@dataclass(frozen=True)
class Comparison:
    """`gain`: accuracy of the challenger on the holdout less the champion's; `gain_corrections` likewise."""

    champion: Side
    challenger: Side

    @property
    def gain(self) -> float:
        return round(self.challenger.holdout.accuracy - self.champion.holdout.accuracy, 4)

    @property
    def gain_corrections(self) -> float | None:
        ours, theirs = self.challenger.corrections, self.champion.corrections
        return round(ours.accuracy - theirs.accuracy, 4) if ours and theirs else None


def measured(model: Model, reports: Corpus) -> Scores:
    """Scores of a model on labelled reports, at its own threshold."""
    answer = model.predict(reports.texts)
    return score(reports.labels, answer.alternatives, answer.confidence, model.threshold)


def corrections(client: Client, days: int = LATELY) -> Corpus:
    """Texts whose type a person set in the last `days` days, each once, with what was said last."""
    rows = client.query(_CORRECTIONS, {"days": days, "most": MOST}).result_rows
    texts = pa.array([text for text, _ in rows], pa.string())
    return Corpus(texts, np.array([code for _, code in rows], np.int16))


def compare(champion: Model, challenger: Model, data: Data, corrected: Corpus | None = None) -> Comparison:
    """Both models on the holdout, each by a model that has not seen it where that can be had (`holdout.unseen`), and
    as they are on corrections.
    """
    apart = split(data.reports)[1]
    return Comparison(_side(champion, data, apart, corrected), _side(challenger, data, apart, corrected))


def _side(model: Model, data: Data, apart: Corpus, corrected: Corpus | None) -> Side:
    fair, why = unseen(model, data)
    said = measured(model, corrected) if corrected is not None and len(corrected.labels) else None
    return Side(model.version, why, measured(fair, apart), said)


def require_gain(found: Comparison, least: float) -> None:
    """Raises:
    UserFault: the gain is below `least`, or the challenger may have seen the holdout.
    """
    if found.challenger.fairness == "unknown":
        raise UserFault(
            f"Model {found.challenger.version} was trained on other data than this installation's corpus, so it may"
            " have seen the holdout: train it with `gridstream model train`."
        )
    if found.gain < least:
        raise UserFault(
            f"Model {found.challenger.version} gains {found.gain:+.4f} over {found.champion.version} on the holdout,"
            f" less than the {least:+.4f} asked for: not promoted."
        )


def install(challenger: Path, current: Path) -> tuple[str, Path | None]:
    """Make the model in `challenger` the current one, in one step; the one before stays beside it as <version>.npz.

    Returns the new version and where the one before is kept (None: there was none, the shipped model ran).

    Raises:
        UserFault: no model, another format, or another taxonomy.
    """
    model, before = load_model(challenger), previous_model(current)
    kept = None
    if before is not None:
        kept = current.with_name(f"{before.version}.npz")
        if not kept.is_file():
            save_model(before, kept)
    save_model(model, current)
    return model.version, kept


def as_document(found: Comparison) -> dict[str, Any]:
    return {
        "champion": found.champion,
        "challenger": found.challenger,
        "gain": found.gain,
        "gain_corrections": found.gain_corrections,
    }
