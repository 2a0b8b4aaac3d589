"""The ClickHouse server process of the embedded stack: `python -m infra.local.services.clickhouse_server DIR`.

The chdb wheel holds the whole engine, listeners included. Only `_chdb.query` can start them, and only
for as long as that call lasts; so its last statement reads standard input, and the end of that input
is the end of the server. DIR holds config.xml and users.xml (see `clickhouse.py`); data go to DIR/data.
"""

import os
import select
import signal
import sys
import threading
import time
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import Any

TIMEZONE = "Asia/Shanghai"
_SERVE = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT count() FROM file('-', 'LineAsString', 'line String')"
)
_DEFAULT_FORMAT = "TabSeparated"  # becomes the server's default format; clients count on this one


def main(directory: str) -> int:
    """Serve until standard input closes (our parent died) or SIGTERM or SIGINT arrives; then close cleanly.

    Returns 0 when it was asked to stop, 1 when the engine gave up by itself (its reason is on stderr).
    """
    os.chdir(directory)
    os.environ["TZ"] = TIMEZONE  # an embedded engine ignores <timezone> in its configuration
    time.tzset()
    asked = threading.Event()
    _end_input_on_request(asked)
    engine = _engine()
    try:
        engine.query(_SERVE, _DEFAULT_FORMAT, path=os.path.join(os.getcwd(), "data"))
    except RuntimeError as error:
        print(f"ClickHouse stopped: {error}", file=sys.stderr)
        return 1
    return 0 if asked.is_set() else 1


def _engine() -> Any:
    """chdb's extension module without its package: importing that starts another engine in a temporary
    folder, which takes our config.xml, our log files and a second.
    """
    package = find_spec("chdb")
    assert package is not None
    assert package.submodule_search_locations is not None
    spec = spec_from_file_location("_chdb", os.path.join(package.submodule_search_locations[0], "_chdb.abi3.so"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_input_on_request(asked: threading.Event) -> None:
    """Put a pipe in the place of standard input, and close it when the real one ends or a signal comes.

    The main thread sits in the engine and runs no Python signal handlers: the wake-up descriptor, which
    the C-level handler writes to, reaches a thread instead.
    """
    parent = os.dup(0)
    server_input, request_end = os.pipe()
    os.dup2(server_input, 0)
    os.close(server_input)
    signalled, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    threading.Thread(target=_watch, args=(parent, signalled, request_end, asked), daemon=True).start()


def _watch(parent: int, signalled: int, request_end: int, asked: threading.Event) -> None:
    while True:
        ready, _, _ = select.select([parent, signalled], [], [])
        if signalled in ready or not os.read(parent, 4096):
            asked.set()
            os.close(request_end)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
