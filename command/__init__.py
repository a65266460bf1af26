"""The command line `failover`: one module for each group of its commands."""
