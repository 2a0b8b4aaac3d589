"""A machine without a time-zone database, such as a slim container: the package tzdata is enough."""

import os
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
from tests.unit.intake import test_judge
test_judge.test_the_day_is_the_citys_own()
"""
HIDE_ZONES = 'mount -t tmpfs none /usr/share/zoneinfo && test ! -e /usr/share/zoneinfo/Asia && exec "$@"'
WITHOUT_ZONES = ["unshare", "--map-root-user", "--mount", "sh", "-c", HIDE_ZONES, "sh"]


def test_the_stream_judges_messages_and_knows_local_days() -> None:
    if not shutil.which("unshare") or subprocess.run([*WITHOUT_ZONES, "true"], check=False).returncode:
        pytest.skip("this user may not hide the machine's time zones from a process")
    answer = subprocess.run(
        [*WITHOUT_ZONES, sys.executable, "-c", SCRIPT],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
