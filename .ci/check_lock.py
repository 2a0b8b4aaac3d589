"""Check that requirements.lock answers pyproject.toml: every requirement is locked at a version that it allows, and
nothing is locked for a requirement that is gone. Needs no network; `make lock` rewrites the file from the registry.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_DIRECT = re.compile(r"\bgridstream \(")  # `# via gridstream (pyproject.toml)`


def complaints() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    written = [
        *project["dependencies"],
        *(line for group in project["optional-dependencies"].values() for line in group),
    ]
    required = {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, written)}
    entries = _ENTRY.findall((ROOT / "requirements.lock").read_text("utf-8"))
    locked = {canonicalize_name(name): (version, _DIRECT.search(rest)) for name, version, rest in entries}
    missing = [f"{name} is not locked" for name in required if name not in locked]
    wrong = [
        f"{name} is locked at {locked[name][0]}, required is {requirement.specifier}"
        for name, requirement in required.items()
        if name in locked and not requirement.specifier.contains(locked[name][0])
    ]
    gone = [
        f"{name} is locked but no longer required" for name, (_, via) in locked.items() if via and name not in required
    ]
    return missing + wrong + gone


if __name__ == "__main__":
    found = complaints()
    sys.exit("\n".join([*found, "run: make lock"]) if found else 0)
