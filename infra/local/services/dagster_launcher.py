"""A run launcher that lets Dagster's run monitoring check whether the process of a run still lives.

The process of a run is a child of the code server, which reports its end. If both die at the same
time, the end is not reported: the run stays STARTED, keeps its slot of the pool, and blocks the
schedule that waits for its end.
"""

from dagster import DagsterRun

# Not exported at the top level, but Dagster's own launchers for containers are built on them.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Named in `dagster.yaml`. A run that the code server does not know is marked as failed."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask the code server whether the run can be cancelled, which is true while its process lives."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:  # the run has ended, or was never launched
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:  # the supervisor restarts it; the run may still live
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "进程已不在 its process is gone")
