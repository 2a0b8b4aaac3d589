"""A city that does not exist: plausible reports, their lives and their disorder, with the truth kept aside."""
