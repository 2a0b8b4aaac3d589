"""The disk is full, under the stream's checkpoint or under ClickHouse: the stream waits and says why, nothing is called
bad data, and once there is room again it goes on by itself."""

import errno
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.cli.stack.stack import bring_up
from infra.local import stack as embedded
from infra.local.services.clickhouse import directory
from infra.local.services.simulator import gridstream
from pipelines.sources.simulator.manifest import read_manifest
from tests.support.proof import require_equal, require_proof
from tests.support.stack import Stack, Streaming, own_settings
from tests.support.wait import until

RATE, SECONDS = 200, 30
FULL = re.compile("no space left on device|not enough space", re.IGNORECASE)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of its own of `mib` MiB at `folder`, unmounted at the end in any case."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()}); as root, or: unshare -rm make faults")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left; the file that holds it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            for _ in range(2**20):
                file.write(bytes(64 * 1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return filler


@contextmanager
def live(stack: Stack, manifest: Path) -> Iterator[None]:
    """Messages flow for `SECONDS`, from before the block to after it."""
    feed = ["simulate", "--live", "--rate", str(RATE), "--seconds", str(SECONDS), "--bad-share", "0.02"]
    command = [sys.executable, gridstream(), *feed, "--manifest", str(manifest), "--json"]
    process = subprocess.Popen(command, env=stack.environment(), stdout=subprocess.DEVNULL)
    try:
        yield
        assert process.wait(SECONDS + 60) == 0
    finally:
        process.kill()
        process.wait()


def waits_for_room(stack: Stack) -> bool:
    """Whether `gridstream status` says that the stream waits, and that it is for room on the disk."""
    wide = stack.environment() | {"COLUMNS": "1000"}
    status = subprocess.run([sys.executable, gridstream(), "status"], env=wide, capture_output=True, text=True)
    lines = [line for line in status.stdout.splitlines() if "the stream waits" in line]
    return status.returncode == 1 and any(map(FULL.search, lines))


def require_waiting(stack: Stack) -> None:
    try:
        until(
            lambda: waits_for_room(stack), "the report of the full disk"
        )  # each new try says `running` until it fails
    finally:
        print(stack.state)


def go_on(stack: Stack, filler: Path) -> None:
    """Make room; the stream loads what waits, by itself."""
    filler.unlink()
    until(lambda: stack.state is not None and stack.state.condition == "running", "the stream going on")
    stack.wait_until_loaded()


def require_all_in(stack: Stack, manifest: Path) -> None:
    """Every acknowledged message is where it belongs, and nothing that was good is in quarantine."""
    sent = read_manifest(manifest)
    assert sent.unacknowledged == ()
    assert len(sent.messages) > RATE * SECONDS / 2
    require_equal(stack, sent)
    require_proof(stack)


@pytest.mark.timeout(300)
def test_no_room_for_the_checkpoint(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    with small_disk(tmp_path / "disk", 8) as disk:
        stack.settings = stack.settings.model_copy(update={"checkpoint": disk})
        with streaming() as process:
            with live(stack, manifest):
                until(lambda: stack.scalar("SELECT count() FROM events"), "the first messages")
                filler = fill(disk)
                require_waiting(stack)
            go_on(stack, filler)
            assert process.poll() is None
    require_all_in(stack, manifest)


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Stack]:
    """A whole stack of its own, without Dagster; its ClickHouse has a small disk."""
    now = own_settings(tmp_path / "home")
    with small_disk(directory(now) / "data", 512):
        try:
            bring_up(now, ("kafka", "clickhouse", "stream"))
            yield Stack(now)
        finally:
            embedded.down(now)


@pytest.mark.timeout(300)
def test_no_room_for_clickhouse(cramped: Stack, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    with live(cramped, manifest):
        until(lambda: cramped.scalar("SELECT count() FROM events"), "the first messages")
        filler = fill(directory(cramped.settings) / "data")
        require_waiting(cramped)
    go_on(cramped, filler)
    require_all_in(cramped, manifest)
