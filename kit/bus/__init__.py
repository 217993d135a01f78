"""Kafka, as we use it: nothing is committed before it was done, and no old offset hides a new message."""
