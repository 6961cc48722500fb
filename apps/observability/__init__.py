"""What operators see of every process: logs that never carry what people write, and Prometheus metrics.

Comes in: one call a batch from each stage. Goes out: lines on stderr, ``/metrics``, and a line a hop for ``trace``.
Stands beside ``valkey``, beneath all stages, and knows none of them.
"""
