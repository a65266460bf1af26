"""Speaking Kafka as a client does: reach a cluster, ask who it is, write a record and read it back, look at offsets."""
