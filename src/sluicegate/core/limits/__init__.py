"""Rates, windows, and which limit a request falls under; sans-io."""
