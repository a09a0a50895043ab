"""Units of a sharded job on Ray: on this machine, or on a cluster whose nodes share a file system."""
