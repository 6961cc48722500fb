"""Real servers for tests: Kafka, a MongoDB-protocol server, PostgreSQL, Valkey, nginx, each on loopback ports.

Each `running_…()` is a context manager that starts processes in a temporary folder of their own and stops them; they
also die with the process that started them, however it ends.
"""
