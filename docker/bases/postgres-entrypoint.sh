#!/bin/bash
# Makes the database on the first start, as the official image does: the superuser, the database, what lies in
# /docker-entrypoint-initdb.d; then runs what it was told. It is started as the user of the server.
set -euo pipefail

if [[ ${1:-} != postgres ]]; then
    exec "$@"
fi
shift
mkdir -p /var/run/postgresql
# Where Debian's psql looks.
set -- -c unix_socket_directories=/var/run/postgresql "$@"

if [[ ! -s $PGDATA/PG_VERSION ]]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    # Words, as in the official image.
    read -r -a words <<<"${POSTGRES_INITDB_ARGS:-}"
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${words[@]}"
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    # On its socket only, so that nobody takes it for ready.
    pg_ctl --pgdata="$PGDATA" --wait -o "$(printf '%q ' -c listen_addresses= "$@")" start
    export PGHOST=/var/run/postgresql PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD"
    if [[ $POSTGRES_DB != postgres ]]; then
        psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres --set=name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        echo "running $script"
        "$script"
    done
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
    unset PGHOST PGUSER PGPASSWORD
fi
exec postgres -D "$PGDATA" "$@"
