"""What proves the loader right must not use the loader's code."""

import subprocess
import sys

ALLOWED = {"pipelines", "pipelines.services", "pipelines.services.clickhouse", "pipelines.errors"}


def test_verify_imports_nothing_of_ours_but_errors_and_the_connection() -> None:
    program = "import sys, pipelines.verify; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.split(".")[0] in ("pipelines", "schemas", "infra")}
    assert {name for name in ours if not name.startswith("pipelines.verify")} == ALLOWED
