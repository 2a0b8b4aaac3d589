"""How the stream is doing, read only: lag, ledger figures, and the one verdict on its health."""
