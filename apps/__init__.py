"""The packages of chatsite, in the order in which a message visits them (see docs/architecture.md)."""
