"""Stage 0, PROTOCOL: the contract as types.

In: text of a client's frame, or a record of the log. Out: frozen dataclasses, or text.
Pure: no Django, no I/O, no clock.
"""
