"""What fields say to a cache: Cache-Control and its kin, dates, ages, digests."""
