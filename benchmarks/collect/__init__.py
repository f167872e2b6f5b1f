"""How long it takes to collect a night's results, beside parsing and inserting the same rows alone."""
