"""The users' services: ordinary Kafka clients, untouched during the failover, whose every record is accounted for."""
