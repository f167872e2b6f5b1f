"""What to try Touchline on: a season, and the seeded generator that wrote it."""
