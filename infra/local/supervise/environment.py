"""The environment of the processes of the embedded stack."""

import hashlib
import json
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from infra.local.fetch.java import Java
from infra.local.files import write_private
from infra.local.supervise.leftovers import MARK
from infra.proxy import loopback_without_proxy
from infra.settings import PREFIX, Settings, variable

_WITHOUT_RESTART = ("data", "ivy_settings")  # a running stack does not use these


def environment(settings: Settings, java: Java) -> dict[str, str]:
    """This process's environment, and every setting.

    Settings from `.env` are passed on as variables, because the processes run in other folders.
    """
    variables = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    variables |= {variable(field): text for field, text in _values(settings).items() if text is not None}
    variables |= {
        **loopback_without_proxy(os.environ),
        MARK: str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_dir),
        "JAVA_HOME": str(java.home),
        "LC_ALL": "C.UTF-8",  # Java decodes file names by the locale
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    if settings.spark_master.startswith("local"):
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
        variables.pop("SPARK_HOME", None)  # PySpark needs the jars of its own version
    return variables


def _values(settings: Settings) -> dict[str, str | None]:
    """Every setting as its variable would hold it; None if not set."""
    return {field: _text(getattr(settings, field)) for field in type(settings).model_fields}


def _text(value: object) -> str | None:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return None if value is None else str(int(value) if isinstance(value, int) else value)


def remember(settings: Settings) -> None:
    """Store the settings that the stack is started with, as hashes: some are secret."""
    write_private(_file(settings), json.dumps(_hashes(settings), indent=1))


def changed_since_start(settings: Settings) -> list[str]:
    """Variables whose values differ from those that the running stack was started with."""
    try:
        remembered = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [variable(field) for field, value in _hashes(settings).items() if remembered.get(field, value) != value]


def _hashes(settings: Settings) -> dict[str, str]:
    values = {field: text for field, text in _values(settings).items() if field not in _WITHOUT_RESTART}
    return {field: hashlib.sha256(repr(text).encode()).hexdigest() for field, text in values.items()}


def _file(settings: Settings) -> Path:
    return settings.run / "started-with.json"
