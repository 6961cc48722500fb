"""Simulated people over real sockets, to learn what a site carries."""
