#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: a database each for Touchline and for Prefect, each
# with an owner that can see no other. Migrating makes the tables.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set touchline_password="$TOUCHLINE_DATABASE_PASSWORD" \
    --set prefect_password="$PREFECT_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE touchline LOGIN PASSWORD :'touchline_password';
CREATE ROLE touchline_reader NOLOGIN; -- usage of one club is read in this role
GRANT touchline_reader TO touchline;
CREATE DATABASE touchline OWNER touchline;
REVOKE ALL ON DATABASE touchline FROM PUBLIC;

CREATE ROLE prefect LOGIN PASSWORD :'prefect_password';
CREATE DATABASE prefect OWNER prefect;
REVOKE ALL ON DATABASE prefect FROM PUBLIC;

\connect prefect
CREATE EXTENSION pg_trgm; -- Prefect's search by name needs it
SQL
