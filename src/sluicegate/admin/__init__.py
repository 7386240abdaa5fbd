"""The admin server: health, metrics, status and dashboard to read, and with the admin token the cache to manage."""
