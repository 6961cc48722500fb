"""Stage 5b, INBOX: everything that a device has not confirmed yet, and the receipts that wait for it.

In: message ids and receipts for devices. Out: each one's place in the device's numbering, and where the device is
connected.
"""
