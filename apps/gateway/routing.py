"""Which consumer serves which path."""

from django.urls import path, re_path

from apps.gateway.consumer import ChatConsumer, UnknownPathConsumer

websocket_urlpatterns = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    # Without this an unknown path is an exception in Channels and a 500 for the client.
    re_path(r"", UnknownPathConsumer.as_asgi()),
]
