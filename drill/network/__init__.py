"""What lies between clients and sites: load balancers, the edge that resolves the client hostname, a DNS server."""
