"""The embedded Dagster: its home folder, its code server, and whether its web UI answers."""

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import yaml

from infra.local import Notify
from infra.local.files import write_private
from infra.local.sockets import DAGSTER_CODE, socket_path
from infra.settings import Settings
from pipelines.errors import UserFault

MODULE = "dagster_project.definitions"
LOCATION = "gridstream"  # the name of the code location in the web UI
_CONFIG = Path(__file__).parent / "dagster.yaml"


def prepare(settings: Settings) -> None:
    """Write `dagster.yaml` and `workspace.yaml` to DAGSTER_HOME; overwrites edited copies."""
    write_private(settings.dagster_dir / "dagster.yaml", _CONFIG.read_text(encoding="utf-8"))
    server = {"grpc_server": {"socket": str(socket_path(settings, DAGSTER_CODE)), "location_name": LOCATION}}
    write_private(workspace(settings), yaml.safe_dump({"load_from": [server]}))


def make_tables(settings: Settings, notify: Notify) -> None:
    """Create or migrate the tables of Dagster's storage, once per version of Dagster (2 s).

    Otherwise each Dagster process creates them at its first start, all at the same time, and one of
    them fails with `table … already exists`.

    Raises:
        UserFault: Dagster cannot do it; holds the last line of its output.
    """
    marker, installed = settings.dagster_dir / "tables-of-version", version("dagster")
    if marker.is_file() and marker.read_text("utf-8") == installed:
        return
    notify("Dagster 建表 creating its tables …")
    process = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "dagster", "instance", "migrate"],
        env=os.environ | {"DAGSTER_HOME": str(settings.dagster_dir)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if process.returncode:
        reason = (process.stderr.strip() or process.stdout.strip() or "no reason given").splitlines()[-1]
        raise UserFault(f"Dagster 无法建表 cannot create its tables in {settings.dagster_dir}: {reason}")
    write_private(marker, installed)


def workspace(settings: Settings) -> Path:
    """The file that names the code server, for the web UI and the daemon."""
    return settings.dagster_dir / "workspace.yaml"


def code_server(settings: Settings) -> list[str]:
    """The start command of the code server. The processes of runs are its children."""
    options = ["--socket", str(socket_path(settings, DAGSTER_CODE)), "--location-name", LOCATION]
    options.append("--use-python-environment-entry-point")
    return [sys.executable, "-m", "dagster", "api", "grpc", "-m", MODULE, *options]


def has_code(settings: Settings) -> bool:
    """Whether the code server listens on its socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        return probe.connect_ex(str(socket_path(settings, DAGSTER_CODE))) == 0


def url(settings: Settings) -> str:
    return f"http://{settings.local_address(settings.dagster_port)}"


def answers(settings: Settings) -> bool:
    """Whether the web UI answers."""
    try:
        reply = httpx.get(f"{url(settings)}/server_info", timeout=5, trust_env=False)  # never through a proxy
    except httpx.HTTPError:
        return False
    return reply.status_code == 200
