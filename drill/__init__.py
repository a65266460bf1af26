"""The drill: a rehearsal of a whole failover on one machine, around the same functions and state machines that are deployed."""
