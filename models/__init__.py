"""What is stored: one table per file, with its constraints and its SQL."""
