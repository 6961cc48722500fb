"""API: the REST doors, one file a resource. They check the shape of input; services decide and write.

In: JSON over HTTP, by session cookie or `Authorization: Token`. Out: JSON; errors are {"code", "message", "fields"?}.
"""
