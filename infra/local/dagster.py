"""The embedded Dagster: its home folder, and whether its web UI answers."""

from pathlib import Path

import httpx

from infra.local.files import write_private
from infra.settings import Settings

MODULE = "dagster_project.definitions"
_CONFIG = Path(__file__).parent / "dagster.yaml"


def prepare(settings: Settings) -> None:
    """Make DAGSTER_HOME with our `dagster.yaml`. A file somebody edited there is overwritten: it is ours."""
    write_private(settings.dagster_dir / "dagster.yaml", _CONFIG.read_text(encoding="utf-8"))


def url(settings: Settings) -> str:
    return f"http://{settings.local_host}:{settings.dagster_port}"


def answers(settings: Settings) -> bool:
    """Whether the web UI is up."""
    try:
        return httpx.get(f"{url(settings)}/server_info", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
