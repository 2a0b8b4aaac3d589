"""A rejected message after it is stored: read, select, repair, judge again, replay, settle,
discard."""
