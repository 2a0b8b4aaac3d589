"""When things happen: assets, checks, jobs, schedules and sensors. What happens is in `pipelines`."""

import warnings

from dagster import BetaWarning

# Every process that loads the code location would repeat it; the version of Dagster is pinned.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)
