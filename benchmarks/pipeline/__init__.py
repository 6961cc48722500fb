"""How fast messages go from socket to socket: `python -m benchmarks.pipeline --help`."""
