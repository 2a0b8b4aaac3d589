"""Which of several faults the driver acts upon, and how a bug is reported."""

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipelines.errors import Defect, PositionFault, TransientFault
from pipelines.stream.config import StreamConfig
from pipelines.stream.job import StreamJob, _raise_faults

Row = namedtuple("Row", "fault detail")


def _found(*faults: str) -> list[Row]:
    return [Row(fault, f"{fault} detail") for fault in faults] + [Row("", "")]


def test_a_position_outweighs_a_service_and_that_a_defect() -> None:
    with pytest.raises(PositionFault, match="position detail"):
        _raise_faults(_found("defect", "transient", "position"))
    with pytest.raises(TransientFault, match="transient detail") as raised:
        _raise_faults(_found("defect", "transient"))
    assert not isinstance(raised.value, Defect)
    with pytest.raises(Defect, match="defect detail"):
        _raise_faults(_found("defect", "held"))
    _raise_faults(_found())


def test_a_defect_says_what_and_where_in_one_line() -> None:
    try:
        _ = {}["missing\nkey"]  # type: ignore[var-annotated]
    except KeyError as error:
        text = str(Defect.of(error))
    assert text.startswith("KeyError: 'missing\\nkey' (test_faults.py:")
    assert str(Defect.of(ValueError())) == "ValueError"


def test_a_state_file_that_cannot_be_written_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").touch()  # a file where the folder should be: as on a full disk, an OSError
    config = cast(StreamConfig, SimpleNamespace(state_file=tmp_path / "run" / "stream.json", breaker=None))
    StreamJob(config)._report("waiting", "disk full")
    assert "cannot write 'waiting' (disk full)" in caplog.text
