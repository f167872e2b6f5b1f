"""One effect each: database, API, files."""
