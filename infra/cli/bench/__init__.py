"""`gridstream bench`: measures throughput, latency and the classifier."""
