"""Step Functions: the deployed state machines, interpreted in virtual time."""
