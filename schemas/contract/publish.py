"""Publishes the contract to producers: `python -m schemas.contract.publish`.

Writes `report.v<version>.schema.json`. Each publication is also a file in `published/`, which never changes; all later
publications must accept what it allowed.
"""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.contract import VERSIONS
from schemas.contract.compatible import breaks
from schemas.contract.version import Version

FOLDER = Path(__file__).parent
_NAME = re.compile(r"report\.v(\d+)\.(\d+)\.schema\.json")


def publications(version: int, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All publications of a version, oldest first."""
    paths = {int(match[2]): path for path, match in _published(folder) if int(match[1]) == version}
    return [msgspec.json.decode(paths[number].read_bytes()) for number in sorted(paths)]


def broken(version: Version, folder: Path = FOLDER) -> list[str]:
    """What earlier publications allow and `version` of the code refuses, a line each; empty if it is compatible."""
    now = version.json_schema()
    return list(dict.fromkeys(line for old in publications(version.number, folder) for line in breaks(old, now)))


def publish(version: Version, folder: Path = FOLDER) -> Path | None:
    """Writes the next publication; None if the last publication is the same.

    Raises:
        ValueError: it is not compatible with an earlier publication.
    """
    if lines := broken(version, folder):
        raise ValueError(f"version {version.number}: {'; '.join(lines)}. Make it a new version instead.")
    old, text = publications(version.number, folder), rendered(version)
    if old and old[-1] == msgspec.json.decode(text):
        return None
    path = folder / "published" / f"report.v{version.number}.{len(old)}.schema.json"
    path.parent.mkdir(exist_ok=True)
    for target in (path, folder / f"report.v{version.number}.schema.json"):
        target.write_bytes(text)
    return path


def rendered(version: Version) -> bytes:
    """The content of the file of a publication."""
    return msgspec.json.format(msgspec.json.encode(version.json_schema()), indent=2) + b"\n"


def _published(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    paths = sorted((folder / "published").glob("*.json"))
    return [(path, match) for path in paths if (match := _NAME.fullmatch(path.name))]


def main() -> int:
    """Publishes all versions; exit code 2 if a version cannot be published."""
    for version in VERSIONS.values():
        try:
            path = publish(version)
        except ValueError as error:
            sys.stderr.write(f"不兼容 not compatible: {error}\n")
            return 2
        outcome = f"已发布 published {path.name}" if path else "无变化 no change"
        sys.stdout.write(f"v{version.number}: {outcome}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
