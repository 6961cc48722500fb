"""What the users' database knows of the log."""

from django.db import models


class LogGeneration(models.Model):
    """The highest generation that a log of this site has had: sequences never repeat, whatever log is put in its
    place.
    """

    generation = models.PositiveIntegerField()
    identity = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "log_generation"

    def __str__(self) -> str:
        return str(self.generation)
