"""Measurements of the whole site; each package is a command of its own."""
