"""Looking after the cache: choosing stored responses, removing them, checking and exporting their bodies."""
