"""How many calls a user may make in a minute, and of which kind. Doors for anybody count addresses (`attempts`)."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.accounts.attempts import MINUTE, count_attempt
from apps.accounts.models import User

if TYPE_CHECKING:
    from rest_framework.views import APIView

SHARES = {"calls": 1.0, "search": 0.1, "status": 0.2}
"""Scope → its share of API_CALLS_PER_MINUTE. Searching and asking for presence are how one would collect people."""


class CallThrottle(BaseThrottle):
    """Counts in fixed windows of a minute, by user and the view's ``throttle_scope``."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Always True: raises TooManyAttemptsError above the limit, ValkeyError when the cache is down."""
        limit = settings.API_CALLS_PER_MINUTE
        if limit and isinstance(request.user, User):
            scope: str = getattr(view, "throttle_scope", "calls")
            most = max(1, int(limit * SHARES[scope]))
            count_attempt(f"api:{scope}:{request.user.pk}", seconds=MINUTE, most=most)
        return True
