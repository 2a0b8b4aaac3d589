"""What the processes of the embedded stack find in their environment."""

import hashlib
import json
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from infra.local.fetch.java import Java
from infra.local.files import write_private
from infra.local.supervise.leftovers import MARK
from infra.settings import PREFIX, Settings, variable

_INDIFFERENT = ("data", "ivy_settings")  # changing these needs no restart


def environment(settings: Settings, java: Java) -> dict[str, str]:
    """Ours, and every setting: `.env` was read here, and the processes run in other folders."""
    found = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    found |= {variable(field): text for field, text in _values(settings).items() if text is not None}
    found |= {
        MARK: str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_dir),
        "JAVA_HOME": str(java.home),
        "LC_ALL": "C.UTF-8",  # Java reads file names by the locale
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    if settings.spark_master.startswith("local"):
        found["SPARK_LOCAL_IP"] = "127.0.0.1"
        found.pop("SPARK_HOME", None)  # another Spark's jars do not fit this PySpark
    return found


def _values(settings: Settings) -> dict[str, str | None]:
    """Every setting as text, the way its variable would hold it."""
    return {field: _text(getattr(settings, field)) for field in type(settings).model_fields}


def _text(value: object) -> str | None:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return None if value is None else str(int(value) if isinstance(value, int) else value)


def remember(settings: Settings) -> None:
    """Note the settings a stack was started with; hashes only, some are secret."""
    write_private(_file(settings), json.dumps(_hashes(settings), indent=1))


def changed_since_start(settings: Settings) -> list[str]:
    """Variables that are not what they were when the running stack was started."""
    try:
        then = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [variable(field) for field, now in _hashes(settings).items() if then.get(field, now) != now]


def _hashes(settings: Settings) -> dict[str, str]:
    values = {field: text for field, text in _values(settings).items() if field not in _INDIFFERENT}
    return {field: hashlib.sha256(repr(text).encode()).hexdigest() for field, text in values.items()}


def _file(settings: Settings) -> Path:
    return settings.run / "started-with.json"
