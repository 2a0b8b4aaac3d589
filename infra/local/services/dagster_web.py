"""The process of Dagster's web UI, behind a guard: `python -m infra.local.services.dagster_web`.

Dagster's own command has no option for a middleware; this starts the same application as it does.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.applications import Starlette

from infra.local.services.dagster import workspace
from infra.local.services.dagster_guard import Guard
from infra.settings import Settings, read_settings
from pipelines.errors import UserFault

# Defaults of `dagster-webserver`.
_STATEMENT_TIMEOUT = 15_000  # milliseconds
_POOL_RECYCLE = 3600  # seconds
_POOL_OVERFLOW = 20
_POLL_RATE = 2000  # milliseconds between two requests of the UI for updated assets


def serve(settings: Settings) -> None:
    """Serve the web UI until SIGTERM or SIGINT."""
    target = WorkspaceFileTarget([str(workspace(settings))])
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT, _POOL_RECYCLE, _POOL_OVERFLOW)
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_RATE, lifespan=_lifespan)
            guarded = Guard(app, settings.host)
            uvicorn.run(guarded, host=settings.host, port=settings.dagster_port, log_level="warning")


@contextlib.asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    with contextlib.suppress(asyncio.CancelledError):  # uvicorn cancels it at the end
        yield


if __name__ == "__main__":
    try:
        serve(read_settings())
    except UserFault as fault:
        sys.exit(str(fault))
