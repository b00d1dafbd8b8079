# What it is built from, pinned: a tag moves, a digest does not. `--build-arg` takes others; how to move a pin stands in
# docs/operations.md, "Pins".
ARG RUST_IMAGE=rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG DEBIAN_IMAGE=debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# Only what .dockerignore lets through.
COPY . .
# The caches stay on the building machine, so that a change of ours does not compile the dependencies again. The secret is for
# machines that take crates from a mirror (`--secret id=cargo_config,src=…`); without it there is none, and none stays in a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    --mount=type=secret,id=cargo_config,target=/usr/local/cargo/config.toml \
    cargo build --release --locked -p workroom -p workroom-launcher --bins \
    && install -s -m 0755 target/release/workroom target/release/workroom-launcher /usr/local/bin/

FROM ${DEBIAN_IMAGE}
# The interpreters are what jobs may be written in. Of the image jobs see them, the common commands and the libraries of both.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates nodejs python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 workroom \
    && useradd --system --uid 10001 --gid workroom --home-dir / --no-create-home --shell /usr/sbin/nologin workroom
COPY --from=build /usr/local/bin/workroom /usr/local/bin/workroom-launcher /usr/local/bin/
COPY LICENSE /usr/share/doc/workroom/LICENSE

USER workroom
WORKDIR /
ENV WORKROOM_HOST=0.0.0.0 WORKROOM_LOG_FORMAT=json
EXPOSE 8080

# Alive, not ready: a process that waits for Postgres must not be restarted for it. `/ready` is for load balancers.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=5 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${WORKROOM_PORT:-8080}\" && printf 'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 2 line <&3 && [[ $line == *' 200 '* ]]"]

# SIGTERM stops it in order, within ten seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["workroom"]
CMD ["serve"]
