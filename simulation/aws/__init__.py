"""AWS, below the SDK's own retries: a file a service, and one door through which every call comes."""
