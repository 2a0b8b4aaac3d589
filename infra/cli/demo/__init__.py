"""`gridstream demo`."""
