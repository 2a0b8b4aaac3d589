"""Quality: the suites of `schemas/expectations`, checked on the tables by Great Expectations."""
