"""The Spark job: Kafka's offset ranges through decode, judge, classify and load, micro-batch by micro-batch."""
