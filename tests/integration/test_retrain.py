"""The job `retrain_classifier` as Dagster runs it, with corrections in ClickHouse."""

import subprocess
import sys
import uuid
from itertools import product
from pathlib import Path
from zlib import crc32

import pytest
import yaml

from pipelines.classify.modelfile import load_model
from schemas.event_types import event_types
from tests.support.corrections import PLACES, WORDS
from tests.support.stack import Stack

TEXTS = [f"{place}的{word}{end}" for place, word, end in product(PLACES, WORDS, ("又开张了", "吵死人"))]


def correct(stack: Stack, codes: list[int]) -> None:
    """Messages in which a person set the type."""
    names = ("day", "event_id", "report_id", "text", "event_type", "decided_by", "updated_at")
    today, now = stack.loader.query("SELECT today(), now64(3)").result_rows[0]
    rows = [
        (today, uuid.uuid4(), f"R{number}", text, code, "person", now)
        for number, (text, code) in enumerate(zip(TEXTS, codes, strict=True))
    ]
    stack.loader.insert("events", rows, column_names=names)


def run(stack: Stack, folder: Path, **config: float) -> str:
    """Run the job in a separate process; returns its log."""
    config_file, home = folder / "run.yaml", folder / "dagster"
    document = {"ops": {"train_challenger": {"config": config}}}
    config_file.write_text(yaml.safe_dump(document), "utf-8")
    home.mkdir(exist_ok=True)
    job = ("-m", "dagster_project.definitions", "-j", "retrain_classifier", "-c", str(config_file))
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", *job],
        env=stack.environment() | {"DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("agreed", [True, False])
def test_promoted_when_people_agree_and_not_when_they_do_not(stack: Stack, tmp_path: Path, agreed: bool) -> None:
    kinds = [kind.code for kind in event_types()]
    codes = [610 if agreed else kinds[crc32(text.encode()) % len(kinds)] for text in TEXTS]
    correct(stack, codes)
    log = run(stack, tmp_path, corrections=30, gain=0.3)
    current = stack.settings.model
    assert current.is_file() is agreed
    assert ("promoted 1-" in log, "not promoted" in log) == (agreed, not agreed)
    if agreed:
        model = load_model(current)
        assert model.facts["corrections"] > 100
        assert (current.parent / model.version / "card.html").is_file()


def test_without_corrections_nothing_is_trained(stack: Stack, tmp_path: Path) -> None:
    assert "not trained" in run(stack, tmp_path)
    assert not stack.settings.model.exists()
