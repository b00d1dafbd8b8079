#!/usr/bin/env bash
# Builds the image and runs docker-compose.yml as an operator would: up, the story of `./dev demo`, kill -9 of each container in
# turn, up once more with TLS, down. One line a check; exit code 0 only when each has passed. See docs/operations.md.
#
# With Docker and its compose, or else with podman and podman-compose, which it fetches where it may (as root, with apt-get and
# pip). Where no registry of images answers, it makes the bases itself from Debian's packages, this machine's Rust and the servers
# that `./dev tools` fetches (docker/bases/). What it keeps (images, caches, logs) lies in the data folder, below drill/.
set -euo pipefail

# Everything together, the build included.
SECONDS_IN_ALL=${WORKROOM_DRILL_SECONDS:-7200}
PODMAN_COMPOSE_VERSION=1.6.0

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
cd -- "$root"
data=${WORKROOM_DATA_DIR:-$root/.workroom}
# As `./dev` marks it, so that it knows the folder for its own, and refuses any other.
if [[ ! -f $data/workroom-data ]]; then
    if [[ -d $data && -n $(ls -A -- "$data") ]]; then
        echo "$data is not empty and not a Workroom data folder: choose another one" >&2
        exit 1
    fi
    mkdir -p "$data"
    # The words of devtools/src/folder.rs.
    # shellcheck disable=SC2016 # the quotes are part of them
    echo 'This folder belongs to a Workroom development instance; `./dev reset` empties it.' >"$data/workroom-data"
    echo '*' >"$data/.gitignore"
fi
state=$data/drill
mkdir -p "$state/log"
if [[ -z ${WORKROOM_DRILL_BOUNDED:-} ]]; then
    if ! flock --nonblock --close "$state/lock" true; then
        echo "another drill uses $state: wait for its end" >&2
        exit 1
    fi
    export WORKROOM_DRILL_BOUNDED=yes
    # The whole group gets the signal at the end of the time, and the trap below cleans up. One drill at a time.
    exec flock --nonblock --no-fork "$state/lock" timeout --kill-after=120 "$SECONDS_IN_ALL" "$root/docker/drill.sh" "$@"
fi
state=$(readlink -f -- "$state")
# `timeout` holds the lock; it is not for what outlives a drill that was killed.
for fd in "/proc/$$/fd/"*; do
    if [[ $(readlink -- "$fd") == "$state/lock" ]]; then
        fd=${fd##*/}
        exec {fd}>&-
    fi
done
log=$state/log
project=workroom-drill
work=$(mktemp -d "$state/run.XXXXXX")
# For files that containers read whoever they run as.
chmod 755 "$work"

passed=0 failed=0

say() { printf '%s\n' "$*"; }
ok() {
    passed=$((passed + 1))
    say "ok      $*"
}
bad() {
    failed=$((failed + 1))
    say "FAILED  $*"
}
note() { say "        $*"; }
die() {
    bad "$*"
    exit 1
}

# check WHAT COMMAND…: one line, whichever way it goes. What the command prints is kept.
check() {
    local what=$1
    shift
    if "$@" >"$log/check" 2>&1; then
        ok "$what"
    else
        bad "$what"
        sed 's/^/        | /' "$log/check" | tail -n 20
    fi
}

# within SECONDS COMMAND…: again and again until it succeeds.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || return 1
        sleep 1
    done
}

finish() {
    local code=$?
    trap - EXIT
    if [[ -n ${up_files:-} ]]; then
        take_down || code=1
    fi
    rm -rf -- "$work" "$root/src/.env.drill" "$root/src/drill.pem"
    # The store mounts its own folder, which `./dev reset` could not remove.
    if [[ ${engine:-} == podman ]]; then
        local mounted
        mapfile -t mounted < <(awk -v under="$state/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r)
        ((${#mounted[@]} == 0)) || umount "${mounted[@]}" 2>/dev/null || true
    fi
    if ((failed > 0 || code != 0)); then
        say "FAILED: $failed of $((passed + failed)) checks, in $SECONDS s; logs are in $log"
        exit 1
    fi
    say "passed: $passed checks, in $SECONDS s"
}
trap finish EXIT
# A signal may come while a check's output goes to a file.
exec {out}>&1
trap 'exec 1>&"$out"; bad "stopped: by a signal, or because its time was over"; exit 124' TERM INT HUP

# ---------------------------------------------------------------------------------------------------------------- the engine

here() { command -v "$1" >/dev/null; }

choose_engine() {
    if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
        engine=docker
        note "engine: $(docker version --format 'Docker {{.Server.Version}}')"
        return
    fi
    engine=podman
    if ! here podman || ! here buildah; then
        if [[ $EUID != 0 ]] || ! here apt-get; then
            die "no Docker with compose answers, and podman is not installed (as root, with apt-get, the drill installs it)"
        fi
        note "installing podman"
        apt-get update >"$log/apt" 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends podman buildah runc netavark aardvark-dns \
            iptables uidmap catatonit debootstrap python3-venv >>"$log/apt" 2>&1 || die "podman cannot be installed: see $log/apt"
    fi
    if [[ ! -x $state/venv/bin/podman-compose ]]; then
        if ! python3 -m venv "$state/venv" >"$log/pip" 2>&1 ||
            ! "$state/venv/bin/pip" install --quiet "podman-compose==$PODMAN_COMPOSE_VERSION" >>"$log/pip" 2>&1; then
            die "podman-compose cannot be installed: see $log/pip"
        fi
    fi
    configure_podman
    note "engine: $(podman --version), podman-compose $PODMAN_COMPOSE_VERSION"
}

# A store and settings of the drill's own: what the machine's podman has is neither seen nor changed.
configure_podman() {
    local open processes
    mkdir -p "$state/storage" "$state/run" "$state/tmp"
    open=$(least 16384 "$(ulimit -Hn)")
    processes=$(least 16384 "$(ulimit -Hu)")
    {
        # The defaults are above what some machines grant.
        printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' "$open" "$open" "$processes" "$processes"
        printf '[engine]\nevents_logger = "file"\ntmp_dir = "%s"\n' "$state/run/libpod"
        [[ -d /run/systemd/system ]] || printf 'cgroup_manager = "cgroupfs"\n'
        # crun refuses a machine that has both versions of cgroups.
        [[ -f /sys/fs/cgroup/cgroup.controllers ]] || printf 'runtime = "runc"\n'
        printf '[network]\nnetwork_backend = "netavark"\n'
    } >"$state/containers.conf"
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$state/storage" "$state/run/storage" \
        >"$state/storage.conf"
    export CONTAINERS_CONF=$state/containers.conf CONTAINERS_STORAGE_CONF=$state/storage.conf TMPDIR=$state/tmp
    # Where a service names one limit, podman forgets those above.
    local service
    {
        echo services:
        for service in postgres nats-volume nats migrate workroom worker; do
            printf '  %s: {ulimits: {nofile: {soft: "%s", hard: "%s"}, nproc: {soft: "%s", hard: "%s"}}}\n' \
                "$service" "$open" "$open" "$processes" "$processes"
        done
    } >"$work/podman.yml"
}

least() {
    if [[ $2 == unlimited ]] || (($1 < $2)); then echo "$1"; else echo "$2"; fi
}

# Where the worker may make cgroups, it must; else that is said.
choose_cgroups() {
    local version=1
    [[ -f /sys/fs/cgroup/cgroup.controllers ]] && version=2
    if [[ $engine == docker && $version == 2 ]] && (($(docker version --format '{{.Server.Version}}' | cut -d. -f1) >= 28)) &&
        [[ $(docker info --format '{{.CgroupDriver}}') == systemd ]]; then
        note "sandboxes: WORKROOM_SANDBOX_CGROUPS=required, the default"
    elif [[ $engine == podman && $version == 2 ]]; then
        setting WORKROOM_CGROUP_OPTION unmask=/sys/fs/cgroup
        note "sandboxes: WORKROOM_SANDBOX_CGROUPS=required, with unmask=/sys/fs/cgroup"
    else
        setting WORKROOM_CGROUP_OPTION no-new-privileges=true
        setting WORKROOM_SANDBOX_CGROUPS auto
        note "sandboxes: WORKROOM_SANDBOX_CGROUPS=auto, for this engine gives a container no cgroup to write (cgroup version $version)"
    fi
}

# ----------------------------------------------------------------------------------------------------------------- the image

# The default of a build argument, as the Dockerfile has it.
default_of() { sed -n "s/^ARG $1=//p" Dockerfile; }

choose_bases() {
    image=workroom-drill:latest
    if [[ $engine == docker ]] || within 1 timeout 60 podman pull --quiet "$(default_of DEBIAN_IMAGE)" >"$log/pull" 2>&1; then
        note "bases: those that are pinned"
        return
    fi
    note "bases: no registry of images answers; stand-ins from Debian's packages, made here"
    image=localhost/workroom-drill:latest
    local sysroot
    if ! podman image exists localhost/workroom-drill/debian; then
        make_debian >"$log/debian" 2>&1 || die "no base of Debian: see $log/debian"
    fi
    setting DEBIAN_IMAGE localhost/workroom-drill/debian
    if ! podman image exists localhost/workroom-drill/rust; then
        sysroot=$(rustc --print sysroot) || die "a toolchain of Rust is needed for the stand-in"
        # The programs and what they load; not the documentation.
        printf '*\n!bin\n!lib\n' >"$work/rust.ignore"
        make_base rust "$sysroot" --ignorefile "$work/rust.ignore"
    fi
    setting RUST_IMAGE localhost/workroom-drill/rust
}

# Debian, with the certificates that this machine trusts.
make_debian() (
    set -e
    folder=$(mktemp -d "$state/tmp/debian.XXXXXX")
    trap 'rm -rf -- "$folder"' EXIT
    command -v debootstrap || { apt-get update || true; apt-get install --yes --no-install-recommends debootstrap; }
    chmod 755 "$folder"
    env -u TMPDIR debootstrap --variant=minbase --include=ca-certificates bookworm "$folder" ${WORKROOM_DEBIAN_MIRROR:+"$WORKROOM_DEBIAN_MIRROR"}
    if compgen -G '/usr/local/share/ca-certificates/*.crt'; then
        cp /usr/local/share/ca-certificates/*.crt "$folder/usr/local/share/ca-certificates/"
        env -u TMPDIR chroot "$folder" update-ca-certificates
    fi
    rm -rf -- "$folder"/var/lib/apt/lists/* "$folder"/var/cache/apt/archives/*.deb
    tar -C "$folder" -c . | podman import - localhost/workroom-drill/debian
)

# make_base NAME CONTEXT OPTION…
make_base() {
    local name=$1 context=$2
    shift 2
    note "building the stand-in for $name"
    buildah bud --isolation chroot --build-arg DEBIAN_IMAGE=localhost/workroom-drill/debian --file "docker/bases/$name.Dockerfile" \
        --tag "localhost/workroom-drill/$name" "$@" "$context" >"$log/base-$name" 2>&1 || die "no base for $name: see $log/base-$name"
}

build_image() {
    local began=$SECONDS cargo=${CARGO_HOME:-$HOME/.cargo}/config.toml options=()
    # Where this machine takes crates from, if it is told; seen by the build's one step and kept nowhere.
    [[ -f $cargo ]] && options+=(--secret "id=cargo_config,src=$cargo")
    [[ -n ${RUST_IMAGE:-} ]] && options+=(--build-arg "RUST_IMAGE=$RUST_IMAGE")
    [[ -n ${DEBIAN_IMAGE:-} ]] && options+=(--build-arg "DEBIAN_IMAGE=$DEBIAN_IMAGE")
    note "building the image; progress is in $log/build"
    if [[ $engine == docker ]]; then
        docker build "${options[@]}" --tag "$image" . >"$log/build" 2>&1
    else
        # Docker's format, for the other one has no health check.
        nice -n 10 buildah bud --isolation chroot --layers --format docker "${options[@]}" --tag "$image" . >"$log/build" 2>&1
    fi || die "the image cannot be built: see $log/build"
    ok "the image is built, in $((SECONDS - began)) s"
}

# What the build is given, compared with what Git has.
context_is_clean() {
    local folder=$work/context
    mkdir -p "$folder" "$work/context-build"
    printf 'FROM scratch\nCOPY . /\n' >"$work/context-build/Dockerfile"
    # Strangers that must stay outside.
    printf 'SECRET=1\n' >"$root/src/.env.drill"
    printf 'a key\n' >"$root/src/drill.pem"
    local code=0
    if [[ $engine == docker ]]; then
        docker build --file "$work/context-build/Dockerfile" --output "type=local,dest=$folder" . || code=1
    else
        buildah bud --quiet --isolation chroot --file "$work/context-build/Dockerfile" --tag localhost/workroom-drill/context . || code=1
        local mounted
        mounted=$(buildah from localhost/workroom-drill/context) &&
            cp -r -- "$(buildah mount "$mounted")/." "$folder/" || code=1
        buildah rm "$mounted" && podman rmi localhost/workroom-drill/context || code=1
    fi
    rm -f -- "$root/src/.env.drill" "$root/src/drill.pem"
    ((code == 0)) || return 1
    (cd -- "$folder" && find . -type f -printf '%P\n' | sort) >"$log/context"
    git ls-files | sort >"$work/known"
    echo "not in Git, or not meant for the build:"
    ! { comm -23 "$log/context" "$work/known"; grep -E '^(tests|docs|docker|domain/tests)/|(^|/)\.|\.conf$' "$log/context"; } | grep . || return 1
    [[ -s $log/context ]]
}

# The servers: the pinned images, or the stand-ins with what `./dev tools` fetches, by the program that was just built.
choose_servers() {
    [[ -n ${DEBIAN_IMAGE:-} ]] || return 0
    local tools=$data/tools context=$work/tools mounted
    if ! podman image exists localhost/workroom-drill/postgres || ! podman image exists localhost/workroom-drill/nats; then
        mounted=$(buildah from "$image")
        cp -- "$(buildah mount "$mounted")/usr/local/bin/workroom" "$work/workroom"
        buildah rm "$mounted" >/dev/null
        WORKROOM_TOOLS=fetched WORKROOM_DATA_DIR=$data "$work/workroom" dev tools >"$log/tools" 2>&1 ||
            die "the servers cannot be fetched: see $log/tools"
        mkdir -p "$context/postgres" "$context/nats"
        # Its links lead to where it was unpacked.
        cp -rL -- "$(newest "$tools"/postgres-*/package/native)/." "$context/postgres/"
        install -m 755 docker/bases/postgres-entrypoint.sh "$context/postgres/entrypoint.sh"
        make_base postgres "$context/postgres"
        cp -- "$(newest "$tools"/nats-server-*/nats-server)" "$context/nats/"
        make_base nats "$context/nats"
    fi
    setting POSTGRES_IMAGE localhost/workroom-drill/postgres
    setting NATS_IMAGE localhost/workroom-drill/nats
}

# The last in the order of versions.
newest() { printf '%s\n' "$@" | sort -V | tail -n 1; }

# --------------------------------------------------------------------------------------------------------- the project, running

# A line of the `.env` that compose is given, and a variable of this script.
setting() {
    printf '%s=%s\n' "$1" "$2" >>"$work/env"
    printf -v "$1" %s "$2"
}

secret() { printf 'w%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }

write_settings() {
    local name
    for name in POSTGRES_PASSWORD POSTGRES_OWNER_PASSWORD POSTGRES_SERVICE_PASSWORD POSTGRES_WORKER_PASSWORD NATS_PASSWORD NATS_WORKER_PASSWORD; do
        setting "$name" "$(secret)"
    done
    port=$(free_port)
    setting WORKROOM_PUBLISHED_PORT "$port"
    url=http://127.0.0.1:$port
    setting WORKROOM_IMAGE "$image"
    # The story adds people by their addresses and reads no mail.
    setting WORKROOM_EMAIL_PROOF trusted
    # Only to be found again in the container.
    setting WORKROOM_APP_URL https://app.drill.test
    setting WORKROOM_TRUSTED_PROXIES 0
}

free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    return 1
}

compose() {
    local files=() file
    for file in $up_files; do files+=(-f "$file"); done
    [[ $engine == docker ]] || files+=(-f "$work/podman.yml")
    if [[ $engine == docker ]]; then
        docker compose --project-name "$project" --env-file "$work/env" "${files[@]}" "$@"
    else
        "$state/venv/bin/podman-compose" --in-pod false --project-name "$project" --env-file "$work/env" "${files[@]}" "$@"
    fi
}

id_of() {
    "$engine" ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" | head -n 1
}
asks() { "$engine" inspect --format "$2" "$(id_of "$1")" 2>/dev/null; }
inside() {
    local service=$1
    shift
    "$engine" exec "$(id_of "$service")" "$@"
}

healthy() {
    if [[ $engine == docker ]]; then
        [[ $(asks "$1" '{{.State.Health.Status}}') == healthy ]]
    else
        # podman leaves health checks to systemd's timers, which are not everywhere.
        [[ $(asks "$1" '{{.State.Running}}') == true ]] && podman healthcheck run "$(id_of "$1")" >/dev/null 2>&1
    fi
}
ended_well() { [[ $(asks "$1" '{{.State.Running}} {{.State.ExitCode}}') == "false 0" ]]; }
ready() { curl --silent --fail --max-time 5 --output /dev/null "$url/ready"; }

# bring_up FILE…: what `docker compose up --wait` does.
bring_up() {
    local service began=$SECONDS
    up_files=$*
    : >"$log/up"
    if [[ $engine == docker ]]; then
        compose up --detach --no-build --wait --wait-timeout 300 >"$log/up" 2>&1 || bring_up_failed
    else
        # In the order of depends_on: podman before 4.6 cannot wait for health.
        for service in nats-volume postgres nats migrate workroom worker; do
            compose up --detach --no-build --no-deps "$service" >>"$log/up" 2>&1 || bring_up_failed "$service"
            case $service in
            nats-volume | migrate) within 120 ended_well "$service" || bring_up_failed "$service" ;;
            *) within 120 healthy "$service" || bring_up_failed "$service" ;;
            esac
        done
    fi
    within 60 ready || bring_up_failed "/ready"
    ok "up: every container is healthy, and the service is ready, in $((SECONDS - began)) s"
}
bring_up_failed() {
    keep_logs
    tail -n 20 "$log/up" | sed 's/^/        | /'
    die "up failed${1:+ at $1}: see $log"
}

keep_logs() {
    local service
    for service in nats-volume postgres nats migrate workroom worker; do
        "$engine" logs "$(id_of "$service")" >"$log/$service" 2>&1 || true
    done
}

take_down() {
    keep_logs
    local left='' code=0
    if ! compose down --volumes --timeout 30 >"$log/down" 2>&1; then
        code=1
        # Not to be there for the next run.
        "$engine" ps --all --quiet --filter "label=com.docker.compose.project=$project" | xargs --no-run-if-empty "$engine" rm --force >>"$log/down" 2>&1 || true
        compose down --volumes --timeout 30 >>"$log/down" 2>&1 || true
    fi
    left+=$("$engine" ps --all --quiet --filter "label=com.docker.compose.project=$project")
    left+=$("$engine" volume ls --quiet --filter "name=^${project}_")
    left+=$("$engine" network ls --quiet --filter "name=^${project}_")
    if [[ $code == 0 && -z $left ]]; then
        ok "down: no container, volume or network is left"
    else
        bad "down: $(tr '\n' ' ' <<<"${left:-it failed}"); see $log/down"
        code=1
    fi
    up_files=
    return "$code"
}

# ------------------------------------------------------------------------------------------------------------------ what is seen

story() {
    "$engine" run --rm --network host "$image" dev demo --url "$url" >"$log/story" 2>&1 || { tail -n 20 "$log/story"; return 1; }
    # It also ends well where no code can be run; here that is a failure.
    if grep 'Not shown' "$log/story"; then return 1; fi
}

# api METHOD PATH [BODY]: the reply's body; fails on an error's status.
api() {
    curl --silent --show-error --fail-with-body --max-time 20 --request "$1" --header 'Content-Type: application/json' \
        --header "Authorization: Bearer ${token:-}" ${3:+--data "$3"} "$url/api/v1/$2"
}
# The first value of a name in a reply.
value() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d'"' -f4; }

person='{"email":"drill@example.com","password":"a quiet containers drill"}'
sign_up() { api POST auth/register "$person" >/dev/null; }
sign_in() { token=$(api POST auth/login "$person" | value access_token) && [[ -n $token ]]; }

# Makes a project, and remembers what its history says.
remember() {
    local id
    id=$(api POST projects "{\"name\":\"Before $1\"}" | value id) && [[ -n $id ]] || return 1
    api POST "projects/$id/tasks" '{"title":"Still to be there"}' >/dev/null || return 1
    api GET "projects/$id/events" >"$work/history.$id"
}
# Each project that was acknowledged is there, and its history has not changed.
all_there() {
    local history id
    sign_in || return 1
    for history in "$work"/history.*; do
        id=${history##*.}
        api GET "projects/$id" >/dev/null || { echo "project $id is gone"; return 1; }
        api GET "projects/$id/events" | cmp - "$history" || return 1
    done
}

kill_it() {
    local pid
    pid=$(asks "$1" '{{.State.Pid}}')
    ((pid > 1)) || return 1
    # Not `docker kill`: after that the engine takes the container for stopped on purpose. The kernel's kill is a crash.
    if [[ $EUID == 0 ]] && kill -KILL "$pid" 2>/dev/null; then
        return
    fi
    "$engine" run --rm --user 0 --pid host --cap-drop ALL --cap-add KILL --entrypoint bash "$image" -c "kill -KILL $pid"
}
came_back() {
    local now
    now=$(asks "$1" '{{.State.Running}} {{.State.Pid}}')
    [[ $now == "true "* && $now != "true $2" ]] && healthy "$1" && ready
}

kill_and_look() {
    local service=$1 pid began
    if ! sign_in || ! remember "$service"; then
        bad "$service: nothing could be written before the kill"
        return
    fi
    pid=$(asks "$service" '{{.State.Pid}}')
    began=$SECONDS
    kill_it "$service" || { bad "$service: it cannot be killed"; return; }
    if within 120 came_back "$service" "$pid"; then
        ok "$service: killed with SIGKILL, back by itself and ready after $((SECONDS - began)) s"
    else
        bad "$service: killed with SIGKILL, and not back after 120 s ($(asks "$service" '{{.State.Status}}'))"
        return
    fi
    check "$service: after it, everything acknowledged is there, with its history" all_there
    check "$service: after it, the story passes" story
}

# ----------------------------------------------------------------------------------------------------------------- the hardening

not_root() { [[ $(inside "$1" cat /proc/1/status | sed -n 's/^Uid:\t\([0-9]*\).*/\1/p') -gt 0 ]]; }
no_capabilities() {
    local status
    status=$(inside "$1" cat /proc/1/status) || return 1
    grep -E '^(Cap|NoNewPrivs)' <<<"$status"
    ! grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb):' <<<"$status" | grep -vq $'\t0*$' && grep -q $'^NoNewPrivs:\t1$' <<<"$status"
}
read_only_root() {
    local said
    said=$(inside "$1" sh -c 'touch /probe /usr/probe 2>&1; grep " / " /proc/mounts')
    echo "$said"
    [[ $said == *Read-only* ]] && grep -qE ' / [a-z]+ ro[ ,]' <<<"$said"
}
# limits SERVICE BYTES PROCESSES: as the kernel has them.
limits() {
    local said
    said=$(inside "$1" sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max 2>/dev/null ||
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max' | tr '\n' ' ')
    echo "memory and processes: $said, expected $2 $3"
    [[ $said == "$2 $3 " ]]
}
no_way_out() { ! inside "$1" cat /proc/net/route | grep -P '^\S+\t00000000\t'; }
answers_a_way_out() { ! no_way_out "$1"; }
# The worker stands in no network with the service.
worker_is_apart() {
    local address
    for address in $(asks workroom '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'); do
        ! inside worker timeout 3 bash -c "exec 3<>/dev/tcp/$address/8080" 2>/dev/null || { echo "reached $address"; return 1; }
    done
}
only_its_secrets() {
    local environment
    environment=$(inside worker env)
    ! grep -e "$POSTGRES_PASSWORD" -e "$POSTGRES_OWNER_PASSWORD" -e "$POSTGRES_SERVICE_PASSWORD" -e "$NATS_PASSWORD" <<<"$environment" &&
        environment=$(inside workroom env) &&
        ! grep -e "$POSTGRES_PASSWORD" -e "$POSTGRES_OWNER_PASSWORD" -e "$POSTGRES_WORKER_PASSWORD" -e "$NATS_WORKER_PASSWORD" <<<"$environment"
}
settings_pass() {
    inside workroom env | grep '^WORKROOM_'
    inside workroom env | grep -qx 'WORKROOM_APP_URL=https://app.drill.test' &&
        inside workroom env | grep -qx 'WORKROOM_EMAIL_PROOF=trusted' && ! inside workroom env | grep -q '^WORKROOM_SMTP_URL='
}
nothing_else_published() {
    local service
    for service in postgres nats worker; do
        [[ -z $("$engine" port "$(id_of "$service")") ]] || return 1
    done
    [[ $("$engine" port "$(id_of workroom)") == *"127.0.0.1:$port" ]]
}

look_at_hardening() {
    local service
    for service in postgres nats workroom worker; do
        check "$service: does not run as root" not_root "$service"
        check "$service: has no capability, and can get none" no_capabilities "$service"
        check "$service: its root file system is read-only" read_only_root "$service"
    done
    check "postgres: 2 GiB of memory and 512 processes" limits postgres 2147483648 512
    check "nats: 1 GiB and 256" limits nats 1073741824 256
    check "workroom: 2 GiB and 512" limits workroom 2147483648 512
    check "worker: 2 GiB and 1024" limits worker 2147483648 1024
    for service in postgres nats worker; do
        check "$service: has no way out of its networks" no_way_out "$service"
    done
    check "workroom: has one, for mail and issuers' keys" answers_a_way_out workroom
    check "worker: does not reach the service" worker_is_apart
    check "only the service is published, on 127.0.0.1" nothing_else_published
    check "worker and service know their own passwords only" only_its_secrets
    check "settings of .env reach the service, and those not set do not" settings_pass
}

# ------------------------------------------------------------------------------------------------------------------------- TLS

psql_there() { inside postgres psql --no-psqlrc --tuples-only --no-align --username=postgres --dbname=workroom --command="$1"; }
all_of_postgres_is_tls() {
    local said
    said=$(psql_there "SELECT usename, version, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL GROUP BY 1, 2")
    echo "$said"
    grep -q '^workroom_service|TLSv1.3|' <<<"$said" && grep -q '^workroom_worker|TLSv1.3|' <<<"$said" && ! grep -qv '|TLSv1.3|' <<<"$said"
}
postgres_refuses_plaintext() {
    local said
    said=$(inside postgres env PGPASSWORD="$POSTGRES_SERVICE_PASSWORD" psql "host=127.0.0.1 user=workroom_service dbname=workroom sslmode=disable" \
        --command='SELECT 1' 2>&1) && return 1
    echo "$said"
    [[ $said == *"no encryption"* ]]
}
all_of_nats_is_tls() {
    local said
    said=$(inside nats wget --quiet --output-document=- 'http://127.0.0.1:8222/connz')
    grep -E '"(name|tls_version)"|num_connections' <<<"$said"
    (($(grep -c '"cid"' <<<"$said") >= 2)) && [[ $(grep -c '"cid"' <<<"$said") == "$(grep -c '"tls_version": "1.3"' <<<"$said")" ]]
}
# It says what it is, that TLS is needed, and no more.
nats_refuses_plaintext() {
    local said
    said=$(inside workroom timeout 10 bash -c 'exec 3<>/dev/tcp/nats/4222; printf "CONNECT {\"verbose\":true}\r\nPING\r\n" >&3; cat <&3' 2>&1 || true)
    echo "$said"
    [[ $said == *'"tls_required":true'* && $said != *PONG* && $said != *+OK* ]]
}

# ------------------------------------------------------------------------------------------------------------------- the drill

umask 022
choose_engine
choose_bases
check "the build sees what .dockerignore names, and nothing else" context_is_clean
if [[ -n ${WORKROOM_DRILL_IMAGE:-} ]]; then
    image=$WORKROOM_DRILL_IMAGE
    note "the image is not built: $image is taken"
else
    build_image
fi
choose_servers
write_settings
choose_cgroups

# What an earlier run may have left when it was killed.
up_files=docker-compose.yml
compose down --volumes --timeout 5 >/dev/null 2>&1 || true

bring_up docker-compose.yml
look_at_hardening
check "the story passes" story
check "somebody signs up" sign_up
for service in postgres nats workroom worker; do
    kill_and_look "$service"
done
take_down || true

rm -f -- "$work"/history.*
docker/certificates.sh "$work/tls"
if [[ $EUID != 0 ]]; then
    "$engine" run --rm --user 0 --entrypoint bash --volume "$work/tls:/tls" "$image" -c 'chown 999 /tls/postgres/server.key; chown 10002 /tls/nats/server.key'
fi
setting WORKROOM_TLS_FOLDER "$work/tls"
bring_up docker-compose.yml docker/compose.tls.yml
check "TLS: the story passes" story
check "TLS: every session in Postgres has it" all_of_postgres_is_tls
check "TLS: Postgres refuses a client without" postgres_refuses_plaintext
check "TLS: every client of NATS has it" all_of_nats_is_tls
check "TLS: NATS answers nobody without" nats_refuses_plaintext
take_down || true
