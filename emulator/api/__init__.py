"""What answers over HTTP: one file per group of paths."""
