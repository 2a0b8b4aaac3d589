"""The training text: enough reports of each type, no near-copies, no duplicates."""

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.classify.features import strings
from pipelines.classify.training.corpus import Corpus, corpus, descriptions, joined
from pipelines.classify.training.near_copies import near_copies
from schemas.event_types import event_types


def test_every_type_has_at_least_120_reports() -> None:
    sizes = Counter(corpus().labels.tolist())
    assert {kind.code: sizes[kind.code] for kind in event_types() if sizes[kind.code] < 120} == {}


def test_no_text_has_two_types() -> None:
    twice = [text for text, times in Counter(corpus().texts.to_pylist()).items() if times > 1]
    assert twice == []


def test_there_are_no_near_copies() -> None:
    assert near_copies(corpus()) == []


def test_near_copies_are_found() -> None:
    texts = ["小区三号楼电梯坏了一个星期没人修", "小区5号楼电梯坏了一个星期没人修。", "河道里全是垃圾和死鱼味道难闻"]
    pairs = near_copies(Corpus(strings(texts), np.array([202, 202, 502], np.int16)), 0.5)
    assert [(pair.first, pair.second) for pair in pairs] == [((202, texts[0]), (202, texts[1]))]
    assert near_copies(Corpus(strings(["停水了", "停水了"]), np.array([601, 601], np.int16))) == []


def test_files_are_read_as_documented(tmp_path: Path) -> None:
    (tmp_path / "401.txt").write_text("# heading\n\n  垃圾没人收  \n垃圾没人收\n", "utf-8")
    negatives = "code\ttext\n# note\n402\t搭了个棚子\twhy\n402\n"
    (tmp_path / "hard_negatives_x.tsv").write_text(negatives, "utf-8")
    examples = Counter(kind.code for kind in event_types() for _ in kind.examples)
    reports = corpus(tmp_path)
    sizes = Counter(reports.labels.tolist())
    assert sizes[401] == examples[401] + 1
    assert sizes[402] == examples[402] + 1
    assert "搭了个棚子" in reports.texts.to_pylist()


def test_the_fingerprint_depends_on_texts_and_labels() -> None:
    reports = Corpus(strings(["停水"]), np.array([601], np.int16))
    assert reports.fingerprint != Corpus(strings(["停电"]), reports.labels).fingerprint
    assert reports.fingerprint != Corpus(reports.texts, np.array([602], np.int16)).fingerprint
    assert joined(reports, descriptions()).fingerprint != reports.fingerprint
