"""A model's card: its training data, its scores and its limits, as Markdown and HTML
(`card.*.j2`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape
from sklearn.metrics import precision_recall_fscore_support

from pipelines.classify.measure import confusion_svg
from pipelines.classify.measure.evidence import Evidence
from pipelines.classify.model import Model
from pipelines.classify.training.evaluate import BINS, by_threshold, confidence_bins, confusions
from pipelines.classify.training.holdout import LEFT_OUT
from schemas.event_types import event_type

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(["html.j2"]),
    trim_blocks=True,
    keep_trailing_newline=True,
)
_THRESHOLDS = (
    "达到阈值的由模型判定，其余记为 999 转人工复核；* 为所用阈值。"
    "At or above the threshold the model decides, the rest becomes 999 and waits for review by people;"
    " * marks the threshold in use."
)

Cells = Sequence[str | float | int]


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph (may be empty) and a table."""

    title: str
    text: str
    header: Cells
    rows: tuple[Cells, ...]


class TypeScores(NamedTuple):
    """Scores of one event type over its `texts` texts."""

    code: int
    texts: int
    precision: float
    recall: float
    f1: float


def write_card(model: Model, folder: Path, evidence: Evidence) -> list[Path]:
    """Write card.md, card.html and confusion.svg to the folder; returns their paths in this
    order.
    """
    picture = confusion_svg.draw(evidence.truth, evidence.answers[:, 0])
    content = {
        "title": f"模型说明卡 Model card: {model.version}",
        "sections": card(model, evidence),
        "picture": picture,
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / name for name in ("card.md", "card.html", "confusion.svg")]
    for file in written[:2]:
        text = _TEMPLATES.get_template(f"{file.name}.j2").render(content)
        file.write_text(text, "utf-8")
    written[2].write_text(picture, "utf-8")
    return written


def card(model: Model, evidence: Evidence) -> list[Section]:
    """The sections of the card."""
    types = type_scores(evidence)
    return [
        _identity(model),
        _overall(model, evidence),
        _thresholds(model, evidence),
        _calibration(evidence),
        _types(types),
        _confusions(evidence),
        _limits(model, min(types, key=lambda scores: scores.f1)),
    ]


def type_scores(evidence: Evidence) -> list[TypeScores]:
    """Scores of each type that the truth holds, ascending by code."""
    best, codes = evidence.answers[:, 0], np.unique(evidence.truth)
    precision, recall, f1, texts = precision_recall_fscore_support(evidence.truth, best, labels=codes, zero_division=0)
    columns = (codes, texts, precision, recall, f1)
    return [TypeScores(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _identity(model: Model) -> Section:
    facts = model.facts
    rows: tuple[Cells, ...] = (
        ("版本 version", model.version),
        ("分类体系 taxonomy", model.taxonomy),
        ("训练数据指纹 fingerprint of the training data", str(facts.get("corpus", "-"))),
        ("训练报告 reports trained on", facts.get("reports", "-")),
        ("训练短语 phrases of the taxonomy trained on", facts.get("keywords", "-")),
        ("训练设置 settings", str(facts.get("settings", "-"))),
        ("留出集 holdout left out of training", str(facts.get(LEFT_OUT, "否 no"))),
        ("字串 n-grams known", len(model.hashes)),
        ("阈值 threshold", f"{model.threshold:.2f}"),
    )
    return Section("模型 Model", "", ("项 what", "值 value"), rows)


def _overall(model: Model, evidence: Evidence) -> Section:
    scores = evidence.scores(model.threshold)
    rows: tuple[Cells, ...] = (
        ("文本 texts", scores.rows),
        ("准确率 accuracy", _percent(scores.accuracy)),
        ("前三含正解 truth among the best three", _percent(scores.top3)),
        ("宏平均 F1 macro F1", _percent(scores.macro_f1)),
        ("期望校准误差 expected calibration error", f"{scores.calibration_error:.3f}"),
        ("达到阈值的比例 share at or above the threshold", _percent(scores.coverage)),
        ("其准确率 accuracy of those", _percent(scores.accuracy_covered)),
    )
    text = f"测量方法 measured by: {evidence.how}."
    return Section("得分 Scores", text, ("项 figure", "值 value"), rows)


def _thresholds(model: Model, evidence: Evidence) -> Section:
    used = model.threshold
    rows = tuple(
        (
            f"{at.threshold:.2f}{' *' if at.threshold == used else ''}",
            _percent(at.coverage),
            _percent(at.accuracy),
            at.left,
        )
        for at in by_threshold(evidence.truth, evidence.answers, evidence.confidence, used)
    )
    header = (
        *("阈值 threshold", "覆盖率 coverage"),
        *("其准确率 accuracy of those", "转人工 left to people"),
    )
    return Section("阈值 Thresholds", _THRESHOLDS, header, rows)


def _calibration(evidence: Evidence) -> Section:
    bins = confidence_bins(evidence.confidence)
    right = evidence.answers[:, 0] == evidence.truth
    rows = []
    for bin_ in np.unique(bins).tolist():
        inside = bins == bin_
        limits = f"{bin_ / BINS:.1f}-{(bin_ + 1) / BINS:.1f}"
        confidence = _percent(float(evidence.confidence[inside].mean()))
        rows.append((limits, int(inside.sum()), confidence, _percent(float(right[inside].mean()))))
    header = ("置信度 confidence", "文本 texts", "平均置信度 mean confidence", "准确率 accuracy")
    return Section("校准 Calibration", "", header, tuple(rows))


def _types(types: list[TypeScores]) -> Section:
    rows = tuple(
        (_named(code), texts, _percent(precision), _percent(recall), _percent(f1))
        for code, texts, precision, recall, f1 in types
    )
    header = ("类型 type", "文本 texts", "精确率 precision", "召回率 recall", "F1")
    return Section("各类型 Types", "", header, rows)


def _confusions(evidence: Evidence) -> Section:
    rows = tuple(
        (_named(confusion.truth), _named(confusion.answer), confusion.count)
        for confusion in confusions(evidence.truth, evidence.answers[:, 0])
    )
    header = ("实际 truth", "回答 answer", "次数 count")
    return Section("最常见的混淆 Worst confusions", "", header, rows)


def _limits(model: Model, weakest: TypeScores) -> Section:
    notes = (
        "得分来自为训练而写的语料，非真实来文；真实来文上可能更低。"
        "The scores are of text written for training, not of messages of a city: expect lower scores"
        " there, and measure them on people's corrections (model compare).",
        "语料的近似重复由 model train 列出；但同一作者的习惯在训练与测量两边都有。"
        "model train lists near-copies in the corpus; but the habits of its authors are in both the"
        " training and the measurement.",
        f"最弱的类型 weakest type: {_named(weakest.code)}, F1 {_percent(weakest.f1)}.",
        f"低于阈值 {model.threshold:.2f} 的回答不采用，记为 999 并进入人工复核。"
        "Answers below the threshold are not used: the report becomes 999 and waits for review.",
        "每条只给一种类型；一条多诉只取其一。Each report gets one type, even if it holds several demands.",
        "以汉语为主；没有已知字串的文本（空、外文）得 999、置信度 0。"
        "Chinese text; a text without a known n-gram (empty, another script) gets 999 with confidence 0.",
        "不评价人：只用文本，不用上报人。It does not rate people: it reads the text, and nothing about who reported.",
    )
    return Section("局限 Limits", "", ("须知 note",), tuple((note,) for note in notes))


def _named(code: int) -> str:
    kind = event_type(code)
    return f"{code} {kind.zh} {kind.en}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"
