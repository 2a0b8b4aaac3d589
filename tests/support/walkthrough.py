"""A copy of the project, changed as a section of docs/evolution.md says: its blocks are applied as they stand there."""

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


def copy(folder: Path, section: str) -> Path:
    """The packages in `folder`, with everything that `section` says done to them; compiled code is copied along."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    shutil.copytree(ROOT / "tests" / "support", folder / "tests" / "support")
    (folder / "tests" / "__init__.py").touch()
    for language, path, text in _BLOCK.findall(_section(section)):
        if language == "diff":
            _apply(folder, text)
        else:
            written = folder / path.replace("NNNN", f"{len(migrations()) + 1:04}")
            written.write_text(text, "utf-8")
    return folder


def _section(title: str) -> str:
    """Its text. Raises ValueError: no such section."""
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        if part.startswith(f"{title}\n"):
            return part
    raise ValueError(f"{PAGE.name} has no section {title}")


def _apply(folder: Path, patch: str) -> None:
    done = subprocess.run(
        ["git", "apply", "-C1", "-"], cwd=folder, input=patch, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"a block of {PAGE.name} no longer fits the code: {done.stderr}"


def run(folder: Path, *command: str) -> str:
    """What a Python command prints in the copy. Fails with what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """Variables by which a process takes the copy's packages."""
    return {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
