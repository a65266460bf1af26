"""A stand-in for what Confluent Cloud runs around a Kafka cluster: Kafka REST v3, and the cluster link ending there."""
