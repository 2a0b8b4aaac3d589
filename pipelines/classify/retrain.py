"""Retraining from the corpus and what people corrected: a challenger that takes over only on a stated gain.

1. Corrections of the last 90 days are split by their text's hash, as the corpus's holdout is: most are learnt from,
   the rest only measures.
2. A twin of the challenger learns the corpus without its holdout, and the corrections to learn from. It is compared
   with the champion (or with the champion's own twin, kept when that one was promoted here) on both held-out parts.
3. On a gain the challenger, the same recipe over all of it but the corrections kept apart, becomes the current model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.classify.measure.card import evidence, write_card
from pipelines.classify.measure.compare import Comparison, compare, install
from pipelines.classify.model import Model
from pipelines.classify.modelfile import current_model, save_model
from pipelines.classify.training.corpus import Corpus, joined
from pipelines.classify.training.holdout import Data, kept_twin, settings_of, split, train_without_holdout, twin_file
from pipelines.classify.training.train import train


@dataclass(frozen=True)
class Demands:
    """What a challenger must show. `corrections`: fewest held-out corrections that say anything. `gain`: least gain in
    accuracy on those. `holdout`: least gain on the corpus's holdout; a small loss is noise there (about 900 texts).
    """

    corrections: int = 30
    gain: float = 0.02
    holdout: float = -0.005


@dataclass(frozen=True)
class RetrainResult:
    """What became of it. `comparison` and `card` (the challenger's model card) are None where nothing was trained."""

    promoted: bool
    message: str
    learnt: int
    measured: int
    version: str | None = None
    comparison: Comparison | None = None
    card: Path | None = None


def retrain(corrected: Corpus, current: Path, demands: Demands, data: Data | None = None) -> RetrainResult:
    """Train a challenger and promote it to `current` if it meets the demands. Takes about as long as two trainings.

    Raises:
        UserFault: the current model is refused (`load_model`), or states no settings that can be repeated.
    """
    own = replace(data or Data(), twins=current.parent)
    learnt, apart = split(_without(corrected, own.reports))
    if len(apart.labels) < demands.corrections:
        return RetrainResult(
            False,
            f"未训练：更正太少 not trained: {len(apart.labels)} held-out corrections, {demands.corrections} are needed",
            *(len(learnt.labels), len(apart.labels)),
        )
    champion = current_model(current)
    settings = settings_of(champion.facts)
    more = replace(own, reports=_sorted(joined(own.reports, learnt)))
    twin = train_without_holdout(more, settings).model
    found = compare(kept_twin(champion, own) or champion, twin, own, apart)
    challenger = train(more.reports, settings, more.keywords, {"corrections": len(learnt.labels)}).model
    folder = current.parent / challenger.version
    card = write_card(challenger, own, folder, evidence(twin, own))[1]
    short = _short(found, demands)
    if not short:
        _promote(challenger, twin, folder, current)
    message = f"未启用 not promoted: {short}" if short else _promoted(challenger, champion, found)
    return RetrainResult(not short, message, len(learnt.labels), len(apart.labels), challenger.version, found, card)


def _without(corrected: Corpus, known: Corpus) -> Corpus:
    """Corrections whose text is not in the corpus: they would teach nothing, or measure what was learnt by heart."""
    there = set(known.texts.to_pylist())
    new = np.array([text not in there for text in corrected.texts.to_pylist()], np.bool_)
    return Corpus(corrected.texts.filter(pa.array(new)), corrected.labels[new])


def _sorted(reports: Corpus) -> Corpus:
    """By code, as `Corpus` demands; stable, so that the holdout keeps its order and its fingerprint."""
    order = np.argsort(reports.labels, kind="stable")
    return Corpus(reports.texts.take(pa.array(order)), reports.labels[order])


def _short(found: Comparison, demands: Demands) -> str:
    """Why the challenger falls short; empty where it does not."""
    gain = found.gain_corrections
    if gain is None or gain < demands.gain:
        return f"更正上的提高 gain on corrections {gain or 0:+.4f} < {demands.gain:+.4f}"
    if found.gain < demands.holdout:
        return f"留出集上的变化 gain on the holdout {found.gain:+.4f} < {demands.holdout:+.4f}"
    return ""


def _promote(challenger: Model, twin: Model, folder: Path, current: Path) -> None:
    save_model(twin, twin_file(folder))
    save_model(challenger, folder / "model.npz")
    install(folder / "model.npz", current)


def _promoted(challenger: Model, champion: Model, found: Comparison) -> str:
    return (
        f"已启用 promoted {challenger.version} in place of {champion.version}: corrections"
        f" {found.gain_corrections or 0:+.4f}, holdout {found.gain:+.4f}"
    )
