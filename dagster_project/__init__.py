"""When things happen: assets, checks, jobs, schedules and sensors. What happens is in `pipelines`."""
