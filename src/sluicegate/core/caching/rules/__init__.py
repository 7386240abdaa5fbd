"""The user's own rules: which requests they concern, and what each changes. Every one knowingly breaks the RFC."""
