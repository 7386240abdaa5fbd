"""The decisions, sans-io: plain data and `now` in, decisions with a reason out. No clock, no asyncio, no I/O."""
