# Stands in for the official image of NATS where no registry of images is at hand: Debian, and the server that `./dev tools`
# fetches, whose folder is the context. wget asks for its health.
ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
COPY nats-server /usr/local/bin/nats-server
CMD ["nats-server"]
