"""The table of commands matches what each module registers, and a command imports only what it needs."""

import platform
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from infra.cli.app import GROUPS, build
from infra.cli.shared.lazy import registered


@pytest.mark.parametrize("module", GROUPS)
def test_a_module_registers_the_commands_that_the_table_names(module: str) -> None:
    assert tuple(registered(f"infra.cli.{module}")) == GROUPS[module]


def test_the_version_names_itself_and_python() -> None:
    answer = CliRunner().invoke(build(), ["--version"])
    assert answer.output == f"gridstream {version('gridstream')} (Python {platform.python_version()})\n"
    assert answer.exit_code == 0


def test_a_mistyped_command_is_answered_with_a_similar_one() -> None:
    answer = CliRunner().invoke(build(), ["clasify"])
    assert answer.exit_code == 2
    assert answer.output.count("Did you mean 'classify'?") == 1


def test_classifying_imports_neither_spark_nor_dagster() -> None:
    script = """
import sys
from infra.cli.app import build
from typer.testing import CliRunner
answer = CliRunner().invoke(build(), ["classify", "--help"])
assert answer.exit_code == 0, answer.output
print(*{name.partition(".")[0] for name in sys.modules})
"""
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "pyarrow" in loaded
    assert not {"pyspark", "dagster", "great_expectations", "sklearn"} & set(loaded)
