"""Every Valkey key of this package."""

# STRING "1", EX 30, in the cache server: a Celery worker ran a task within the last 30 s.
WORKER_CANARY = "worker:canary"
WORKER_CANARY_TTL_SECONDS = 30
