"""The model's place: a deterministic writer of parent messages that follows any given schema."""
