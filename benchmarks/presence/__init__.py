"""What presence costs: heartbeats of many connections, batched statuses, and looks at whom people have on screen."""
