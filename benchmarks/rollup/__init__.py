"""How fast rollups are published and read at size, beside the same work done by SQL, pandas and DuckDB."""
