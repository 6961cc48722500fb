"""What serves which path."""

from typing import Any

from django.urls import path, re_path

from apps.gateway.consumer import ChatConsumer, UnknownPathConsumer
from apps.gateway.group_pages_endpoint import GroupPagesEndpoint
from apps.gateway.poll_endpoint import poll_application

websocket_urlpatterns = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    # Without this an unknown path is an exception in Channels and a 500 for the client.
    re_path(r"", UnknownPathConsumer.as_asgi()),
]


def http_urlpatterns(everything_else: Any) -> list[Any]:
    """Long polling, pages of large groups, and another ASGI application for all other requests."""
    poll: Any = poll_application  # An ASGI application, where Django would have a view.
    pages: Any = GroupPagesEndpoint(everything_else)
    return [path("chat/poll", poll), re_path(r"^api/chat/", pages), re_path(r"", everything_else)]
