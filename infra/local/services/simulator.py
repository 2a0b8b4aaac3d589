"""Run `gridstream simulate --live` under the supervisor, with arguments chosen at each start.

The command lines of the supervisor are fixed, so the arguments are passed in a file (a JSON list of
strings).
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
    """Set the arguments that the next start of the simulator adds to `simulate --live`."""
    write_private(arguments_file(settings), json.dumps(arguments))


def gridstream() -> str:
    """Path of the `gridstream` command of this environment.

    Raises:
        UserFault: the package is not installed here.
    """
    command = Path(sysconfig.get_path("scripts")) / "gridstream"
    if not command.exists():
        raise UserFault(f"命令不存在 {command} does not exist; 请安装 install it: make install")
    return str(command)


def main() -> None:
    """Replace this process by the simulator."""
    path = arguments_file(settings())
    arguments = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    os.execv(sys.executable, [sys.executable, gridstream(), "simulate", "--live", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
