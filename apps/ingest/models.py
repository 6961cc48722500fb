"""Leases of Snowflake worker numbers, in the users' database."""

from django.db import models


class WorkerLease(models.Model):
    """One of the 1,024 worker numbers and the gateway process that may use it until ``expires_at``."""

    worker_id = models.PositiveSmallIntegerField(primary_key=True)
    holder = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "worker_lease"

    def __str__(self) -> str:
        return f"{self.worker_id} of {self.holder}"
