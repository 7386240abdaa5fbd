"""Many processes on one port: a supervisor that starts, watches and sums up workers, which share nothing but files."""
