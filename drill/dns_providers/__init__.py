"""Stand-ins of the providers that a client hostname can be held by, beside Route 53's own API."""
