"""Champion and challenger: the holdout, its fairness, and what promotion refuses and keeps."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.classify.features import Ngrams, strings
from pipelines.classify.measure.compare import compare, corrections, install, require_gain
from pipelines.classify.model import Model
from pipelines.classify.modelfile import SHIPPED, current_model, load_model, save_model, versioned
from pipelines.classify.training.corpus import Corpus
from pipelines.classify.training.holdout import (
    LEFT_OUT,
    Data,
    held,
    settings_of,
    split,
    train_without_holdout,
    twin_file,
    unseen,
)
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import train
from pipelines.errors import UserFault


@pytest.fixture(scope="module")
def poor(part: Data) -> Model:
    """Trained on single characters: clearly worse."""
    return train(part.reports, Settings(Ngrams(1, 1), c=0.01, folds=3), part.keywords).model


def test_the_split_depends_on_the_text_alone(part: Data) -> None:
    rest, apart = split(part.reports)
    assert set(rest.texts.to_pylist()) | set(apart.texts.to_pylist()) == set(part.reports.texts.to_pylist())
    assert not set(rest.texts.to_pylist()) & set(apart.texts.to_pylist())
    assert 0.15 < len(apart.labels) / len(part.reports.labels) < 0.25
    # printf a | sha256sum: ca978112...; b: 3e23e816...; c: 2e7d2c03...; a fifth of 2^32 is 0x33333333
    assert [held(text) for text in ("a", "b", "c")] == [False, False, True]


def test_a_model_that_saw_the_holdout_is_measured_by_its_twin(champion: Model, part: Data) -> None:
    apart = split(part.reports)[1]
    twin, fairness = unseen(champion, part)
    itself = (champion.predict(apart.texts).codes == apart.labels).mean()
    comparison = compare(champion, champion, part)
    assert fairness == "twin"
    assert twin.version != champion.version
    assert comparison.champion.holdout.accuracy < itself - 0.05  # not by texts that it has seen
    assert comparison.gain == 0


def test_a_model_without_the_holdout_is_measured_itself(champion: Model, part: Data) -> None:
    model = train_without_holdout(part, settings_of(champion.facts)).model
    assert unseen(model, part) == (model, "left out")
    assert compare(champion, model, part).gain == 0  # it is the champion's twin


def test_a_model_that_retraining_promoted_is_measured_by_the_twin_kept_then(
    champion: Model, poor: Model, part: Data, tmp_path: Path
) -> None:
    kept = train_without_holdout(part, settings_of(champion.facts)).model
    save_model(kept, twin_file(tmp_path / poor.version))
    corrected = replace(poor, facts=poor.facts | {"corpus": "with corrections"})
    assert unseen(corrected, part) == (corrected, "unknown")
    twin, fairness = unseen(corrected, replace(part, twins=tmp_path))
    assert (twin.version, fairness) == (kept.version, "twin")


def test_a_twin_that_left_out_another_holdout_is_not_used(
    champion: Model, poor: Model, part: Data, tmp_path: Path
) -> None:
    other = replace(champion, facts=champion.facts | {LEFT_OUT: "another"})
    save_model(versioned(other), twin_file(tmp_path / poor.version))
    corrected = replace(poor, facts=poor.facts | {"corpus": "with corrections"})
    assert unseen(corrected, replace(part, twins=tmp_path)) == (corrected, "unknown")


def test_settings_are_read_back_from_the_file(champion: Model, tmp_path: Path) -> None:
    save_model(champion, tmp_path / "m.npz")
    assert settings_of(load_model(tmp_path / "m.npz").facts) == Settings(folds=3)
    with pytest.raises(UserFault, match="no training settings"):
        settings_of({})


def test_only_a_stated_gain_promotes(champion: Model, poor: Model, part: Data) -> None:
    worse = compare(champion, poor, part)
    assert worse.gain < -0.02
    require_gain(compare(poor, champion, part), -worse.gain)
    require_gain(worse, worse.gain)
    with pytest.raises(UserFault, match="not promoted"):
        require_gain(worse, 0.0)
    with pytest.raises(UserFault, match="not promoted"):
        require_gain(compare(champion, champion, part), 0.001)


def test_a_challenger_of_other_data_is_refused(champion: Model, small: Model, part: Data) -> None:
    comparison = compare(champion, small, part)
    assert comparison.challenger.fairness == "unknown"
    with pytest.raises(UserFault, match="may have seen the holdout"):
        require_gain(comparison, -1)


def test_corrections_are_measured_too(champion: Model, poor: Model, part: Data) -> None:
    said = Corpus(strings(["楼道堆满纸箱", "工资拖欠三个月"]), np.array([201, 103], np.int16))
    comparison = compare(champion, poor, part, said)
    assert comparison.champion.corrections is not None
    assert comparison.champion.corrections.rows == 2
    assert comparison.gain_corrections is not None
    none = Corpus(strings([]), np.array([], np.int16))
    assert compare(champion, poor, part, none).gain_corrections is None


def test_promotion_keeps_the_replaced_model(champion: Model, poor: Model, tmp_path: Path) -> None:
    current = tmp_path / "models" / "current.npz"
    save_model(champion, tmp_path / "a.npz")
    save_model(poor, tmp_path / "b.npz")
    assert install(tmp_path / "a.npz", current) == (champion.version, None)
    kept = current.with_name(f"{champion.version}.npz")
    assert install(tmp_path / "b.npz", current) == (poor.version, kept)
    assert load_model(kept).version == champion.version
    assert {path.name for path in current.parent.iterdir()} == {kept.name, "current.npz"}


def test_a_promoted_model_is_used_from_the_next_call_on(champion: Model, poor: Model, tmp_path: Path) -> None:
    current = tmp_path / "current.npz"
    assert current_model(current) is load_model(SHIPPED)
    save_model(champion, tmp_path / "a.npz")
    save_model(poor, tmp_path / "b.npz")
    install(tmp_path / "a.npz", current)
    assert current_model(current).version == champion.version
    assert current_model(current) is current_model(current)  # read once, not for every batch
    install(tmp_path / "b.npz", current)
    assert current_model(current).version == poor.version


def test_another_taxonomy_is_neither_promoted_nor_lost(champion: Model, tmp_path: Path) -> None:
    old = versioned(replace(champion, taxonomy="0123456789abcdef"))
    current = tmp_path / "current.npz"
    save_model(old, tmp_path / "old.npz")
    with pytest.raises(UserFault, match="has taxonomy 0123456789abcdef"):
        install(tmp_path / "old.npz", current)
    assert not current.exists()
    save_model(old, current)
    save_model(champion, tmp_path / "new.npz")
    install(tmp_path / "new.npz", current)
    assert current.with_name(f"{old.version}.npz").is_file()


def test_corrections_come_from_events(migrated_database: Client) -> None:
    client = migrated_database
    said = (
        ("路灯不亮", 401, "person", 2),
        ("路灯不亮", 405, "person", 1),
        ("井盖丢了", 406, "model", 1),
        ("旧", 101, "person", 200),
    )
    for text, code, by, days in said:
        client.command(
            "INSERT INTO events (day, event_id, report_id, text, event_type, decided_by, updated_at)"
            " SELECT today(), {id:UUID}, 'R', {text:String}, {code:UInt16}, {by:String},"
            " now() - toIntervalDay({days:UInt16})",
            {"id": str(uuid4()), "text": text, "code": code, "by": by, "days": days},
        )
    corrected = corrections(client)
    assert (corrected.texts.to_pylist(), corrected.labels.tolist()) == (["路灯不亮"], [405])
