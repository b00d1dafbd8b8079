# Stands in for the official image of Rust where no registry of images is at hand: Debian, compilers for C, and the toolchain of the
# building machine, whose folder is the context.
ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev make g++ \
    && rm -rf /var/lib/apt/lists/*
ENV CARGO_HOME=/usr/local/cargo
COPY bin/ /usr/local/bin/
COPY lib/ /usr/local/lib/
RUN rustc --version && cargo --version
