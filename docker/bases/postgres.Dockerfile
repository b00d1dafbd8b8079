# Stands in for the official image of Postgres where no registry of images is at hand: Debian, and the server that `./dev tools`
# fetches, whose folder is the context. It looks like the official one as far as docker-compose.yml can see.
ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE}
# psql and pg_isready are not among what is fetched; a client of another version will do.
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql \
    && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql \
    && mkdir /docker-entrypoint-initdb.d \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
COPY . /usr/local/pgsql/
RUN mv /usr/local/pgsql/entrypoint.sh /usr/local/bin/docker-entrypoint.sh \
    && sed -i "s/^#*listen_addresses = .*/listen_addresses = '*'/" /usr/local/pgsql/share/postgresql/postgresql.conf.sample \
    && grep -q "^listen_addresses = '\*'" /usr/local/pgsql/share/postgresql/postgresql.conf.sample
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/pgsql/bin PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
