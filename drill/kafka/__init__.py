"""Kafka on the wire: the clusters of the drill, and the frames between clients and brokers."""
