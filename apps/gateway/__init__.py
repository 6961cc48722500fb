"""Stage 1, SOCKET: the chat server's edge. It does three things: parse, enqueue, write.

In: frames from clients, pushes from relays. Out: submissions to ingest, frames to clients. Async; it never touches
the Message DB.
"""
