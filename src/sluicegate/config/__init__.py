"""Configuration: models, loading with line numbers, precedence, reload. Knows pydantic and YAML, no running object."""
