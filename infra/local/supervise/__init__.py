"""The processes of the embedded stack: supervisor, ports, states, leftovers."""
