"""What is no AWS: the clusters' REST API behind httpx, Kafka at its clients, sockets and DNS."""
