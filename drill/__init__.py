"""The drill: a rehearsal of a whole failover on one machine, around the functions and state machines deployed."""
