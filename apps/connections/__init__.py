"""Stage 6', CONNECTIONS: who is connected where, and how to reach them.

In: a connect, a heartbeat, a batch of pushes. Out: a connection id and an inbox's position, or frames on the
gateway's channel.
"""
