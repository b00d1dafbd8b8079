#!/bin/bash
# Makes the roles of Workroom in a new database: the image of Postgres runs this once, as the superuser.
set -euo pipefail

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --file=/roles.sql
# From the environment and through psql's quoting: a password is data, also one with a quote in it.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv owner WORKROOM_OWNER_PASSWORD
\getenv service WORKROOM_SERVICE_PASSWORD
\getenv worker WORKROOM_WORKER_PASSWORD
ALTER ROLE workroom_owner PASSWORD :'owner';
ALTER ROLE workroom_service PASSWORD :'service';
ALTER ROLE workroom_worker PASSWORD :'worker';
SQL
