"""The embedded Dagster: its home folder, the process that holds our code, and whether its web UI answers."""

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import yaml

from infra.local.fetch.jars import Say
from infra.local.files import write_private
from infra.local.sockets import DAGSTER_CODE, socket_path
from infra.settings import Settings
from pipelines.errors import UserFault

MODULE = "dagster_project.definitions"
LOCATION = "gridstream"  # what the web UI calls our code
_CONFIG = Path(__file__).parent / "dagster.yaml"


def prepare(settings: Settings) -> None:
    """Make DAGSTER_HOME with our `dagster.yaml` and `workspace.yaml`. What is edited there is overwritten."""
    write_private(settings.dagster_dir / "dagster.yaml", _CONFIG.read_text(encoding="utf-8"))
    server = {"grpc_server": {"socket": str(socket_path(settings, DAGSTER_CODE)), "location_name": LOCATION}}
    write_private(workspace(settings), yaml.safe_dump({"load_from": [server]}))


def make_tables(settings: Settings, progress: Say) -> None:
    """Make or migrate the tables of Dagster's storage, once per version of Dagster (2 s).

    Each of its processes would make them itself at its first start, and all of them at once: one or the other then ends
    with `table … already exists`.

    Raises:
        UserFault: Dagster refuses, in its own words.
    """
    made, now = settings.dagster_dir / "tables-of-version", version("dagster")
    if made.is_file() and made.read_text("utf-8") == now:
        return
    progress("Dagster 建表 making its tables …")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "dagster", "instance", "migrate"],
        env=os.environ | {"DAGSTER_HOME": str(settings.dagster_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise UserFault(f"Dagster cannot make its tables in {settings.dagster_dir}: {last}")
    write_private(made, now)


def workspace(settings: Settings) -> Path:
    """Tells the web UI and the daemon where our code is."""
    return settings.dagster_dir / "workspace.yaml"


def code_server(settings: Settings) -> list[str]:
    """The command of the process that holds our code; runs are its children."""
    at = ["--socket", str(socket_path(settings, DAGSTER_CODE)), "--location-name", LOCATION]
    own_python = "--use-python-environment-entry-point"
    return [sys.executable, "-m", "dagster", "api", "grpc", "-m", MODULE, *at, own_python]


def has_code(settings: Settings) -> bool:
    """Whether somebody listens where our code is asked for."""
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(5)
        return knock.connect_ex(str(socket_path(settings, DAGSTER_CODE))) == 0


def url(settings: Settings) -> str:
    return f"http://{settings.local_host}:{settings.dagster_port}"


def answers(settings: Settings) -> bool:
    """Whether the web UI is up."""
    try:
        return httpx.get(f"{url(settings)}/server_info", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
