"""A simulated city: plausible reports, their steps and their disorder, with the truth in a manifest."""
