"""What stands beside the topics: Schema Registry, Connect, role bindings. It is looked at, and never changed."""
