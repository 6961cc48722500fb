"""Celery's door: limits end by themselves."""

from celery import shared_task

from apps.accounts.services.reputation import lift_expired_limits


@shared_task(name="spam.lift_expired_limits")
def lift() -> None:
    """Give back their usual limit to those whose time is over."""
    lift_expired_limits()
