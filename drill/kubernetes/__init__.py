"""A Kubernetes cluster on this machine: as much of its API as a gateway fleet needs, with pods that are processes."""
