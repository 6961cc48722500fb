"""An outsider's chat client for tests: it knows the wire contract and nothing of the server's code."""
