"""How good it is: benches that print figures measured side by side in one run."""
