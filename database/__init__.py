"""Where it is stored: engine, the embedded server, migrations."""
