"""The project's numbers, each against its limit: `make bench`."""
