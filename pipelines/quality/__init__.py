"""Quality: the suites of `schemas/expectations` at work, in the stream and on the tables."""
