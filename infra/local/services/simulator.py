"""Run `gridstream simulate --live` under the supervisor, with arguments chosen when it is started.

The supervisor's command lines are fixed, so the arguments wait in a file (a JSON list of strings).
"""

import json
import os
import sys
import sysconfig
from pathlib import Path

from infra.local.files import write_private
from infra.settings import Settings, settings
from pipelines.errors import UserFault


def arguments_file(settings: Settings) -> Path:
    return settings.run / "simulator.args"


def set_arguments(settings: Settings, arguments: list[str]) -> None:
    """What the next start of the simulator gets after `simulate --live`."""
    write_private(arguments_file(settings), json.dumps(arguments))


def gridstream() -> str:
    """Path of the `gridstream` command of this environment.

    Raises:
        UserFault: the package is not installed here.
    """
    command = Path(sysconfig.get_path("scripts")) / "gridstream"
    if not command.exists():
        raise UserFault(f"{command} does not exist; install the package into this environment (make install)")
    return str(command)


def main() -> None:
    """Become the simulator."""
    path = arguments_file(settings())
    arguments = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    os.execv(sys.executable, [sys.executable, gridstream(), "simulate", "--live", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
