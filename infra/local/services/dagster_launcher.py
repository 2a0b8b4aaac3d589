"""Dagster's run launcher, for Dagster's run monitoring to ask whether the process of a run still lives.

A run is a child of the process that holds our code, and its end is reported by that one. When both die together, nobody
would: the run stays STARTED for ever, with it the pool that it occupies, and the schedule that waits for its end.
"""

from dagster import DagsterRun

# Not exported at the top, and yet what Dagster's own launchers for containers are made of.
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Named in `dagster.yaml`; a run that the process with our code does not know is marked as failed."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Asks whether the run could be cancelled, which is so while its process lives."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:  # it has ended, or nobody was asked to run it
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:  # its supervisor starts it again; until then the run may well live
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "进程已不在 its process is gone")
