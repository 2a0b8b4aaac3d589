"""A model's card: what it was trained on, how good it is and where it fails, as Markdown and HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.classify.measure import confusion_svg
from pipelines.classify.model import Model
from pipelines.classify.training.evaluate import BINS, Scores, by_threshold, confusions, score
from pipelines.classify.training.holdout import LEFT_OUT, Data, reproducible, settings_of, split, unseen
from pipelines.classify.training.train import train
from schemas.event_types import event_type

Cells = Sequence[str | float | int]


@dataclass(frozen=True)
class Evidence:
    """Answers to labelled texts: `truth` (rows,), `answers` (rows, 3) best first, `confidence` (rows,); `how` they
    were had, Chinese first.
    """

    truth: NDArray[np.int16]
    answers: NDArray[np.int16]
    confidence: NDArray[np.float32]
    how: str

    def scores(self, threshold: float) -> Scores:
        return score(self.truth, self.answers, self.confidence, threshold)


@dataclass(frozen=True)
class Section:
    """A heading, then a paragraph, then a table without rows where there is none."""

    title: str
    text: str = ""
    header: Cells = ()
    rows: tuple[Cells, ...] = ()


def evidence(model: Model, data: Data) -> Evidence:
    """The training repeated, with every report answered by a model that has not seen it, where the corpus is still the
    one of the model; else its answers to the holdout.
    """
    if reproducible(model, data):
        settings = settings_of(model.facts)
        made = train(data.reports, settings, data.keywords)
        if made.model.version == model.version:
            how = f"语料的 {settings.folds} 折交叉验证 cross-validation over the corpus, {settings.folds} folds"
            return Evidence(made.truth, made.answers, made.confidence, how)
    apart, (fair, why) = split(data.reports)[1], unseen(model, data)
    answer = fair.predict(apart.texts)
    how = {
        "left out": "训练时留出的文本 texts left out of training",
        "twin": "不含留出集的孪生模型对留出集 a twin trained without them, on texts left out",
    }.get(why, "留出集；模型可能见过，得分或偏高 the holdout, which the model may have seen: scores may be too good")
    return Evidence(apart.labels, answer.alternatives, answer.confidence, how)


def write_card(model: Model, data: Data, folder: Path, seen: Evidence | None = None) -> list[Path]:
    """Write card.md, card.html and confusion.svg into the folder; returns their paths. `seen`: in place of `evidence`,
    where a twin speaks for the model.
    """
    seen = seen or evidence(model, data)
    codes, counted = confusion_svg.matrix(seen.truth, seen.answers[:, 0])
    drawn = confusion_svg.heat_map([f"{code} {event_type(code).zh}" for code in codes], counted)
    sections = card(model, seen)
    title = f"模型说明卡 Model card: {model.version}"
    written = {
        "card.md": _markdown(title, sections),
        "card.html": _html(title, sections, drawn),
        "confusion.svg": drawn,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in written.items():
        (folder / name).write_text(content, "utf-8")
    return [folder / name for name in written]


def card(model: Model, seen: Evidence) -> list[Section]:
    return [
        _identity(model),
        _overall(model, seen),
        _thresholds(model, seen),
        _calibration(seen),
        _types(seen),
        _confusions(seen),
        _limits(model, seen),
    ]


def _identity(model: Model) -> Section:
    facts = model.facts
    rows: list[Cells] = [
        ("版本 version", model.version),
        ("分类体系 taxonomy", model.taxonomy),
        ("训练数据指纹 fingerprint of the training data", str(facts.get("corpus", "-"))),
        ("训练报告 reports trained on", facts.get("reports", "-")),
        ("训练短语 phrases of the taxonomy trained on", facts.get("keywords", "-")),
        ("训练设置 settings", str(facts.get("settings", "-"))),
        ("留出集 holdout left out of training", str(facts.get(LEFT_OUT, "否 no"))),
        ("字串 n-grams known", len(model.hashes)),
        ("阈值 threshold", f"{model.threshold:.2f}"),
    ]
    return Section("模型 Model", "", ("项 what", "值 value"), tuple(rows))


def _overall(model: Model, seen: Evidence) -> Section:
    found = seen.scores(model.threshold)
    rows: list[Cells] = [
        ("文本 texts", found.rows),
        ("准确率 accuracy", _share(found.accuracy)),
        ("前三含正解 truth among the best three", _share(found.top3)),
        ("宏平均 F1 macro F1", _share(found.macro_f1)),
        ("期望校准误差 expected calibration error", f"{found.calibration_error:.3f}"),
        ("达到阈值的比例 share at or above the threshold", _share(found.coverage)),
        ("其准确率 accuracy of those", _share(found.accuracy_covered)),
    ]
    return Section("得分 Scores", f"测量方法 measured by: {seen.how}.", ("项 figure", "值 value"), tuple(rows))


def _thresholds(model: Model, seen: Evidence) -> Section:
    rows = tuple(
        (_marked(at.threshold, model.threshold), _share(at.coverage), _share(at.accuracy), at.left)
        for at in by_threshold(seen.truth, seen.answers, seen.confidence, model.threshold)
    )
    header = ("阈值 threshold", "覆盖率 coverage", "其准确率 accuracy of those", "转人工 left to people")
    note = "达到阈值的由模型判定，其余记为 999 转人工复核；* 为所用阈值。At or above the threshold the model decides, "
    return Section(
        "阈值 Thresholds", f"{note}the rest becomes 999 and waits for people; * is the one in use.", header, rows
    )


def _marked(threshold: float, used: float) -> str:
    return f"{threshold:.2f}{' *' if threshold == used else ''}"


def _calibration(seen: Evidence) -> Section:
    bins = np.minimum((seen.confidence * BINS).astype(int), BINS - 1)
    right = seen.answers[:, 0] == seen.truth
    rows: list[Cells] = []
    for bin_ in range(BINS):
        inside = bins == bin_
        if inside.any():
            means = _share(float(seen.confidence[inside].mean())), _share(float(right[inside].mean()))
            rows.append((f"{bin_ / BINS:.1f}-{(bin_ + 1) / BINS:.1f}", int(inside.sum()), *means))
    header = ("置信度 confidence", "文本 texts", "平均置信度 mean confidence", "准确率 accuracy")
    return Section("校准 Calibration", "", header, tuple(rows))


def _types(seen: Evidence) -> Section:
    best = seen.answers[:, 0]
    rows: list[Cells] = []
    for code in np.unique(seen.truth).tolist():
        hits = int(((seen.truth == code) & (best == code)).sum())
        actual, answered = int((seen.truth == code).sum()), int((best == code).sum())
        figures = hits / max(answered, 1), hits / actual, 2 * hits / (actual + answered)
        rows.append((_named(code), actual, *map(_share, figures)))
    header = ("类型 type", "文本 texts", "精确率 precision", "召回率 recall", "F1")
    return Section("各类型 Types", "", header, tuple(rows))


def _confusions(seen: Evidence) -> Section:
    found = confusions(seen.truth, seen.answers[:, 0])
    rows = tuple((_named(one.truth), _named(one.answer), one.count) for one in found)
    return Section("最常见的混淆 Worst confusions", "", ("实际 truth", "回答 answer", "次数 count"), rows)


def _limits(model: Model, seen: Evidence) -> Section:
    weakest = min(_types(seen).rows, key=lambda row: float(str(row[4]).removesuffix(" %")))
    notes = (
        "得分来自为训练而写的语料，非真实来文；真实来文上可能更低。The scores are of text written for training, not of "
        "messages of a city: expect lower ones there, and measure on people's corrections (model compare).",
        "语料的近似重复由 model train 列出；但同一作者的习惯在训练与测量两边都有。Near-copies in the corpus are "
        "listed by model train; yet one author's habits are on both sides of the measurement.",
        f"最弱的类型 weakest type: {weakest[0]}, F1 {weakest[4]}.",
        f"低于阈值 {model.threshold:.2f} 的回答不采用，记为 999 并进入人工复核。Answers below the threshold are not "
        "used: the report becomes 999 and waits for review.",
        "每条只给一种类型；一条多诉只取其一。One type a report: of mixed demands it names one.",
        "以汉语为主；没有已知字串的文本（空、外文）得 999、置信度 0。Chinese text; one without a known n-gram "
        "(empty, another script) gets 999 with confidence 0.",
        "不评价人：只用文本，不用上报人。It rates no people: it reads the text and nothing about who reported.",
    )
    return Section("局限 Limits", "", ("须知 note",), tuple((note,) for note in notes))


def _named(code: int) -> str:
    kind = event_type(code)
    return f"{code} {kind.zh} {kind.en}"


def _share(value: float) -> str:
    return f"{value * 100:.1f} %"


def _markdown(title: str, sections: Iterable[Section]) -> str:
    lines = [f"# {title}", ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        lines += [section.text, ""] if section.text else []
        lines += [_piped(section.header), _piped(["---"] * len(section.header)), *map(_piped, section.rows), ""]
    lines += ["## 混淆矩阵 Confusion matrix", "", "![混淆矩阵 confusion matrix](confusion.svg)", ""]
    return "\n".join(lines)


def _piped(cells: Cells) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


_STYLE = (
    "body{font:14px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}svg{max-width:100%}"
)


def _html(title: str, sections: Iterable[Section], drawn: str) -> str:
    body = "".join(
        f"<h2>{escape(section.title)}</h2><p>{escape(section.text)}</p>"
        f"<table><tr>{_tagged('th', section.header)}</tr>"
        f"{_rows(section.rows)}</table>"
        for section in sections
    )
    return (
        f'<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}"
        f"<h2>混淆矩阵 Confusion matrix</h2>{drawn}</body></html>\n"
    )


def _tagged(tag: str, cells: Cells) -> str:
    return "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)


def _rows(rows: Iterable[Cells]) -> str:
    return "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
