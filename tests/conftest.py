"""Fixtures for all tests."""

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support")  # its assertions show what differs, too

# Importing what all tests need makes millions of objects that live until the end. The garbage collector would walk
# through them again and again: without it, collecting the tests takes 2.8 s of processor time instead of 5.0 s.
gc.disable()

# An example may take long on a busy machine; pytest-timeout ends what hangs.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but never among the imported modules."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _children_hear_signals() -> None:
    """Restore SIGTERM and SIGINT where the launcher ignores them, as a shell does for a background command.

    Child processes inherit what is ignored and would not end when asked. Dagster also copies the handler of
    SIGINT to SIGTERM when it executes a job in this process.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real public data; tests that need it are skipped, loudly, where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GRIDSTREAM_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no public data sets at {folder}: set GRIDSTREAM_DATA")
    return folder
