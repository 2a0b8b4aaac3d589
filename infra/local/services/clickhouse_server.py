"""The ClickHouse server process of the embedded stack: `python -m infra.local.services.clickhouse_server DIR`.

The chdb wheel holds the whole server, listeners included. Only `_chdb.query` can start the
listeners, and they run only until that call returns. So its last statement reads standard input,
and the server ends when that input ends. DIR holds config.xml and users.xml (see `clickhouse.py`);
data is stored in DIR/data.
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
_DEFAULT_FORMAT = "TabSeparated"  # becomes the default format of the server, which clients rely on


def main(directory: str) -> int:
    """Serve until standard input closes (the parent died) or SIGTERM or SIGINT arrives; then shut down cleanly.

    Returns 0 after a request to stop, 1 if the engine ended by itself (the reason is on stderr).
    """
    os.chdir(directory)
    os.environ["TZ"] = TIMEZONE  # an embedded engine ignores <timezone> in its configuration
    time.tzset()
    stop_requested = threading.Event()
    _end_input_on_request(stop_requested)
    engine = _engine()
    try:
        engine.query(_SERVE, _DEFAULT_FORMAT, path=os.path.join(os.getcwd(), "data"))
    except RuntimeError as error:
        print(f"ClickHouse stopped: {error}", file=sys.stderr)
        return 1
    return 0 if stop_requested.is_set() else 1


def _engine() -> Any:
    """chdb's extension module without its package.

    Importing the package would start a second engine in a temporary folder, which takes 1 s and
    would use this engine's config.xml and log files.
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


def _end_input_on_request(stop_requested: threading.Event) -> None:
    """Replace standard input by a pipe, and close the pipe when the real input ends or a signal arrives.

    The main thread is inside the engine and runs no Python signal handlers. The C-level handler
    writes to the wake-up descriptor, which another thread reads.
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
    threading.Thread(target=_watch, args=(parent, signalled, request_end, stop_requested), daemon=True).start()


def _watch(parent: int, signalled: int, request_end: int, stop_requested: threading.Event) -> None:
    while True:
        ready, _, _ = select.select([parent, signalled], [], [])
        if signalled in ready or not os.read(parent, 4096):
            stop_requested.set()
            os.close(request_end)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
