"""The stand-in of Confluent Gateway: the same configuration, the same rewriting, real Kafka clients through it."""
