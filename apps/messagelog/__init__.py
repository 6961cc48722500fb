"""Stage 3, LOG: the durable, ordered record between gateways and relays.

In: batches of encoded records, each with its partition key. Out: their sequences once durable; and batches per
partition, in order,
for one reader of each consumer group. The log is a wall: those who write it and those who read it never import each
other.
"""
