#!/usr/bin/env bash
# Makes what docker/compose.tls.yml mounts: an authority of this deployment's own, and certificates for Postgres and NATS by it.
# Run again, it keeps the authority and makes the certificates anew; restart the two containers then.
#
#   docker/certificates.sh FOLDER
set -euo pipefail

# Whom the images run as; a key must be its server's own. Other images may have others.
postgres_uid=${POSTGRES_UID:-999}
nats_uid=10002

[[ $# == 1 ]] || {
    echo "usage: $0 FOLDER" >&2
    exit 2
}
umask 077
mkdir -p "$1"
cd -- "$1"
mkdir -p ca postgres nats
# What is public can be read by the containers, whoever they run as.
chmod 755 . ca postgres nats

key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
if [[ ! -s ca.key ]]; then
    openssl req -x509 "${key[@]}" -keyout ca.key -out ca/ca.crt -days 3650 -subj '/CN=Workroom between its containers' \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
fi
for name in postgres nats; do
    # Written beside and moved into place: a server that starts meanwhile finds the old or the new.
    openssl req "${key[@]}" -keyout "$name/new.key" -out "$name/new.csr" -subj "/CN=$name" 2>/dev/null
    openssl x509 -req -in "$name/new.csr" -out "$name/new.crt" -CA ca/ca.crt -CAkey ca.key -CAcreateserial -days 730 -extfile <(
        printf '%s\n' "subjectAltName=DNS:$name" basicConstraints=critical,CA:FALSE extendedKeyUsage=serverAuth
    ) 2>/dev/null
    rm "$name/new.csr"
    mv "$name/new.key" "$name/server.key"
    mv "$name/new.crt" "$name/server.crt"
done
rm -f ca/ca.srl ca.srl
chmod 644 ca/ca.crt postgres/server.crt nats/server.crt

if [[ $EUID == 0 ]]; then
    chown "$postgres_uid" postgres/server.key
    chown "$nats_uid" nats/server.key
else
    echo "as root: chown $postgres_uid $PWD/postgres/server.key && chown $nats_uid $PWD/nats/server.key" >&2
fi
