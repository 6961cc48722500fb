"""Bugs put in on purpose: each patch breaks one promise, and the simulation must find it within a minute.

A simulation that finds nothing proves nothing by itself; one that finds all of these, and nothing in the code as it
is, may be believed.
"""
