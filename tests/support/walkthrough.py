"""A copy of the project, changed by the code blocks of sections of docs/evolution.md, exactly as they are printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from schemas.migrations import migrations

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "evolution.md"
PACKAGES = ("schemas", "pipelines", "infra", "dagster_project")
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def copy(folder: Path, *sections: str) -> Path:
    """Copy the packages and the tests to `folder` and apply the blocks of `sections`; returns `folder`.

    The caches of compiled code are copied too. Otherwise each test would compile the classifier again (4 s).
    """
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, folder)
    for language, path, text in _BLOCK.findall("\n".join(map(_section, sections))):
        if language == "diff":
            _apply(folder, text)
        else:
            new_file = folder / path.replace("NNNN", f"{len(migrations()) + 1:04}")
            new_file.parent.mkdir(exist_ok=True)
            new_file.write_text(text, "utf-8")
    return folder


def _section(title: str) -> str:
    """The text of a section. Raises ValueError if there is no such section."""
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        if part.startswith(f"{title}\n"):
            return part
    raise ValueError(f"{PAGE.name} has no section {title}")


def _apply(folder: Path, patch: str) -> None:
    done = subprocess.run(
        ["git", "apply", "-C1", "-"], cwd=folder, input=patch, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"a block of {PAGE.name} does not apply to the code: {done.stderr}"


def run(folder: Path, *command: str) -> str:
    """The output of a Python command in the copy. Fails with its stderr if the command fails."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """Environment variables that make a process import the packages of the copy."""
    return {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
