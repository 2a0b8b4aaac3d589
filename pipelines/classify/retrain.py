"""Retraining from the corpus and people's corrections. The challenger replaces the champion only if
it gains at least what is demanded.

1. The corrections of the last 90 days are split by the hash of their text, like the corpus's
   holdout: most are trained on, the rest is only measured on.
2. A twin of the challenger is trained on the corpus without its holdout, and on the corrections to
   train on. It is compared with the champion (or with the champion's twin, if retraining kept one
   when it promoted the champion) on both held-out parts.
3. If the gain suffices, the challenger, trained with the same settings on everything except the
   held-out corrections, becomes the current model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.classify.measure.card import write_card
from pipelines.classify.measure.compare import Comparison, compare, install
from pipelines.classify.measure.evidence import evidence
from pipelines.classify.model import Model
from pipelines.classify.modelfile import current_model, save_model
from pipelines.classify.training.corpus import Corpus, joined
from pipelines.classify.training.holdout import (
    Data,
    kept_twin,
    settings_of,
    split,
    train_without_holdout,
    twin_file,
)
from pipelines.classify.training.train import train


@dataclass(frozen=True)
class Demands:
    """What a challenger must reach. `corrections`: fewest held-out corrections to judge by. `gain`:
    least gain in accuracy on those. `holdout`: least gain on the corpus's holdout, where a small
    loss is noise (about 900 texts).
    """

    corrections: int = 30
    gain: float = 0.02
    holdout: float = -0.005


@dataclass(frozen=True)
class RetrainResult:
    """The result of retraining. `learnt` and `measured`: corrections trained on and measured on.
    `comparison` and `card` (the challenger's model card) are None if nothing was trained.
    """

    promoted: bool
    message: str
    learnt: int
    measured: int
    version: str | None = None
    comparison: Comparison | None = None
    card: Path | None = None


def retrain(corrected: Corpus, current: Path, demands: Demands, data: Data | None = None) -> RetrainResult:
    """Train a challenger, and promote it to `current` if it meets the demands. Takes about as long
    as two trainings.

    Raises:
        UserFault: the current model is refused (`load_model`), or states no settings to repeat.
    """
    known = replace(data or Data(), twins=current.parent)
    learnt, apart = split(_new(corrected, known.reports))
    if len(apart.labels) < demands.corrections:
        message = (
            f"未训练：更正太少（留出 {len(apart.labels)} 条，需 {demands.corrections} 条）"
            f" not trained: {len(apart.labels)} held-out corrections, {demands.corrections} are needed"
        )
        return RetrainResult(False, message, len(learnt.labels), len(apart.labels))
    champion = current_model(current)
    settings = settings_of(champion.facts)
    extended = replace(known, reports=_sorted(joined(known.reports, learnt)))
    twin = train_without_holdout(extended, settings).model
    comparison = compare(kept_twin(champion, known) or champion, twin, known, apart)
    stated = {"corrections": len(learnt.labels)}
    challenger = train(extended.reports, settings, extended.keywords, stated).model
    folder = current.parent / challenger.version
    card = write_card(challenger, folder, evidence(twin, known))[1]
    shortfall = _shortfall(comparison, demands)
    if shortfall:
        message = f"未启用 not promoted: {shortfall}"
    else:
        _promote(challenger, twin, folder, current)
        message = _promotion(challenger, champion, comparison)
    return RetrainResult(
        promoted=not shortfall,
        message=message,
        learnt=len(learnt.labels),
        measured=len(apart.labels),
        version=challenger.version,
        comparison=comparison,
        card=card,
    )


def _new(corrected: Corpus, known: Corpus) -> Corpus:
    """Corrections whose text is not in the corpus. The others would add nothing to the training,
    and would measure texts that the model has seen.
    """
    there = set(known.texts.to_pylist())
    new = np.array([text not in there for text in corrected.texts.to_pylist()], np.bool_)
    return Corpus(corrected.texts.filter(pa.array(new)), corrected.labels[new])


def _sorted(reports: Corpus) -> Corpus:
    """By code, as `Corpus` requires. Stable, so that the holdout keeps its order and its
    fingerprint.
    """
    order = np.argsort(reports.labels, kind="stable")
    return Corpus(reports.texts.take(pa.array(order)), reports.labels[order])


def _shortfall(comparison: Comparison, demands: Demands) -> str:
    """Which demand the challenger does not meet; empty if it meets all."""
    gain = comparison.gain_corrections
    if gain is None or gain < demands.gain:
        return f"更正上的提高 gain on corrections {gain or 0:+.4f} < {demands.gain:+.4f}"
    if comparison.gain < demands.holdout:
        return f"留出集上的变化 gain on the holdout {comparison.gain:+.4f} < {demands.holdout:+.4f}"
    return ""


def _promote(challenger: Model, twin: Model, folder: Path, current: Path) -> None:
    save_model(twin, twin_file(folder))
    save_model(challenger, folder / "model.npz")
    install(folder / "model.npz", current)


def _promotion(challenger: Model, champion: Model, comparison: Comparison) -> str:
    gain = comparison.gain_corrections or 0
    return (
        f"已启用 {challenger.version}，取代 {champion.version}"
        f" promoted {challenger.version} in place of {champion.version}:"
        f" corrections {gain:+.4f}, holdout {comparison.gain:+.4f}"
    )
