"""Where messages come from: adapters for files, the simulator, and the way into Kafka."""
