"""The queues in front of the limits: awaits what the core decided."""
