#!/bin/sh
# Makes this machine a device of a fleet: makes its key, asks for a certificate, and lets the puller bring what the device shall run.
# The control host prints the command (playbooks/enrol.yml). It may be run again at any time, and goes on where it was.
set -eu
umask 022

IDENTITY=/etc/facefleet/identity
CACHE=/var/cache/facefleet/pull
SERVICES=10001        # who reads the key: the user in the containers
RELEASED=1795392000   # a clock before that is wrong
WAIT_S=${FACEFLEET_ENROL_WAIT_S:-86400}

say() { printf 'enrol: %s\n' "$*"; }
stop() {
    printf 'enrol: %s\n' "$*" >&2
    exit 1
}

[ $# = 6 ] || stop "this wants six words, as playbooks/enrol.yml prints them: depot, device, names, trust, signer, secret"
depot=$1 device=$2 names=$3 trust=$4 signer=$5 secret=$6
[ "$(id -u)" = 0 ] || stop "run it as root: sudo sh enrol.sh ..."
for tool in curl openssl sha256sum awk fold; do
    command -v $tool >/dev/null || stop "$tool is not there: apt-get install $tool, and run this again"
done
[ "$(date +%s)" -gt $RELEASED ] ||
    stop "this machine's clock says $(date -u '+%Y-%m-%d %H:%M UTC'), which is wrong: set it (timedatectl set-ntp true), and run this again"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$IDENTITY/pairs" "$CACHE"
chmod 0755 /etc/facefleet "$IDENTITY" "$IDENTITY/pairs"
chmod 0700 "$CACHE"
until_s=$(($(date +%s) + WAIT_S))

pause() {
    [ "$(date +%s)" -lt $until_s ] || stop "$1: this waited ${WAIT_S} s; run it again when that is mended"
    [ "$1" = "${told:-}" ] || say "$1; waiting"
    told=$1
    sleep 5
}

# ask ARGUMENTS OF CURL: the status in $status, the body in $work/answer; a link that drops is asked again.
ask() {
    until status=$(curl -sS --cacert "$work/ca.crt" --connect-timeout 15 --max-time 60 -o "$work/answer" -w '%{http_code}' "$@" \
        2>"$work/error"); do
        case $(cat "$work/error") in
        *"not yet valid"* | *expired*)
            stop "the depot's certificate does not count by this machine's clock, $(date -u '+%Y-%m-%d %H:%M UTC'): set the clock (timedatectl set-ntp true), and run this again" ;;
        *certificate* | *"SSL"*)
            stop "$depot cannot be trusted ($(cat "$work/error")): see that the address is the cloud host's, and get a new command from playbooks/enrol.yml" ;;
        esac
        pause "$depot does not answer ($(cat "$work/error"))"
    done
}

sentence() { sed -e 's/^{"[a-z]*": *"//' -e 's/^"//' -e 's/"}*$//' "$work/answer"; }

# --- whom to trust: both are known by what the operator's command says ---
until curl -fsSk --connect-timeout 15 --max-time 60 -o "$work/ca.crt" "$depot/v1/trust" 2>"$work/error"; do
    pause "$depot does not answer ($(cat "$work/error"))"
done
echo "$trust  $work/ca.crt" | sha256sum -c --status ||
    stop "$depot is not the depot that the command was made for, or the fleet has another authority since: get a new command from playbooks/enrol.yml"
{
    echo '-----BEGIN PUBLIC KEY-----'
    echo "$signer" | fold -w 64
    echo '-----END PUBLIC KEY-----'
} >"$work/signer.pub"
openssl pkey -pubin -in "$work/signer.pub" -noout 2>"$work/error" ||
    stop "the signer's key in the command is not whole: copy the command again, all of it"

# --- the certificate ---
enrolled() {
    [ -e "$IDENTITY/pair/host.crt" ] && openssl verify -CAfile "$work/ca.crt" "$IDENTITY/pair/host.crt" >/dev/null 2>&1 &&
        openssl x509 -in "$IDENTITY/pair/host.crt" -noout -subject -nameopt RFC2253 | grep -qx "subject=CN=$device"
}

enrol() {
    next=$IDENTITY/pairs/next
    mkdir -p "$next"
    if [ ! -e "$next/host.csr" ]; then
        say "making the key of $device, which never leaves this machine"
        (umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$next/host.key")
        openssl req -new -key "$next/host.key" -subj "/CN=$device" -addext "subjectAltName=$names" -out "$work/host.csr" 2>"$work/error" ||
            stop "openssl makes no request: $(cat "$work/error")"
        mv "$work/host.csr" "$next/host.csr"
    fi
    mac=$(openssl dgst -sha256 -hmac "$secret" "$next/host.csr" | sed 's/.*= *//')
    shown=$(printf %s "$secret" | sha256sum | cut -d' ' -f1)
    awk -v mac="$mac" 'BEGIN { printf "{\"mac\": \"%s\", \"request\": \"", mac } { printf "%s\\n", $0 } END { printf "\"}" }' \
        "$next/host.csr" >"$work/application"
    while :; do
        ask -X PUT -H "X-Enrolment: $shown" -H 'Content-Type: application/json' --data-binary "@$work/application" "$depot/v1/enrolment/$device"
        case $status in
        20?) break ;;
        429 | 503) pause "the depot is busy" ;;
        *) stop "the depot refuses $device: $(sentence)" ;;
        esac
    done
    say "asked for a certificate"
    while :; do
        ask -H "X-Enrolment: $shown" "$depot/v1/enrolment/$device/certificate"
        case $status in
        200) break ;;
        404 | 429 | 503) pause "the operator has not signed it yet" ;;
        *) stop "the depot refuses $device: $(sentence)" ;;
        esac
    done
    cp "$work/answer" "$work/host.crt"
    openssl verify -CAfile "$work/ca.crt" "$work/host.crt" >"$work/error" 2>&1 ||
        stop "the certificate that came does not count here ($(tail -n 1 "$work/error")): if the clock, $(date -u '+%Y-%m-%d %H:%M UTC'), is wrong, set it; or else get a new command"
    [ "$(openssl x509 -in "$work/host.crt" -noout -pubkey)" = "$(openssl pkey -in "$next/host.key" -pubout)" ] ||
        stop "the certificate that came is not of this machine's key: get a new command from playbooks/enrol.yml"
    pair=$(openssl x509 -in "$work/host.crt" -outform DER | sha256sum | cut -c1-12)
    cp "$work/host.crt" "$next/host.crt"
    rm "$next/host.csr"
    chown $SERVICES:$SERVICES "$next/host.key"
    chmod 0400 "$next/host.key"
    rm -rf "$IDENTITY/pairs/$pair"
    mv "$next" "$IDENTITY/pairs/$pair"
    rm -f "$IDENTITY/.pair.new"
    ln -s "pairs/$pair" "$IDENTITY/.pair.new"
    mv -T "$IDENTITY/.pair.new" "$IDENTITY/pair"
    ln -sf pair/host.crt "$IDENTITY/host.crt"
    ln -sf pair/host.key "$IDENTITY/host.key"
    say "it has its certificate"
}

if enrolled; then
    say "it has a certificate of this fleet already"
else
    enrol
fi
for file in ca.crt signer.pub; do
    cp "$work/$file" "$IDENTITY/.$file.new"
    chmod 0644 "$IDENTITY/.$file.new"
    mv "$IDENTITY/.$file.new" "$IDENTITY/$file"
done

# --- the engine, from the distribution's packages where there is none ---
install() {
    if [ -z "${indexed:-}" ]; then
        apt-get -o DPkg::Lock::Timeout=300 -qq update || stop "the package index cannot be fetched: see this machine's way to its packages"
        indexed=yes
    fi
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install "$@" >"$work/apt" 2>&1 ||
        stop "$* cannot be installed: $(tail -n 3 "$work/apt")"
}
first_of() {
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            echo "$package"
            return
        fi
    done
}
python3 -c 'import requests' 2>/dev/null || install python3 python3-requests
if ! docker version >/dev/null 2>&1; then
    command -v dockerd >/dev/null || install docker.io iptables ca-certificates
    command -v docker >/dev/null || install docker-cli
    systemctl enable --now docker >/dev/null 2>&1 || true
    docker version >/dev/null 2>"$work/error" || stop "the Docker engine does not run: $(cat "$work/error")"
fi
if ! docker compose version >/dev/null 2>&1; then
    compose=$(first_of docker-compose-plugin docker-compose-v2)
    [ -n "$compose" ] || install ca-certificates
    compose=${compose:-$(first_of docker-compose-plugin docker-compose-v2 docker-compose)}
    install "${compose:-docker-compose}"
    docker compose version >/dev/null 2>&1 ||
        stop "this distribution has no Docker Compose 2: install it by hand (roles/docker_engine places it in /usr/local/lib/docker/cli-plugins), and run this again"
fi

# --- the order, and the puller that it names ---
mine() { ask --cert "$IDENTITY/host.crt" --key "$IDENTITY/host.key" "$@"; }
while :; do
    mine "$depot/v1/devices/$device/order"
    case $status in
    200) break ;;
    404) pause "nothing is ordered for $device yet, or its ring is not open" ;;
    429 | 503) pause "the depot is busy" ;;
    *) stop "the depot refuses $device: $(sentence)" ;;
    esac
done
python3 - "$work" <<'END' || stop "the order cannot be read: promote again"
import base64, json, pathlib, sys
work = pathlib.Path(sys.argv[1])
said = json.loads((work / "answer").read_text())
(work / "order").write_bytes(said["order"].encode())
(work / "order.sig").write_bytes(base64.b64decode(said["signature"]))
order = json.loads(said["order"])
puller = order["puller"]
(work / "facts").write_text("\n".join([
    order["device"], puller["ref"], puller["archive"]["sha256"], str(puller["archive"]["size"]),
    order["images"][puller["ref"]]["id"], order["variables"]["images_platform"], order["variables"].get("edge_clock", "kernel")]) + "\n")
END
openssl dgst -sha256 -verify "$work/signer.pub" -signature "$work/order.sig" "$work/order" >/dev/null 2>&1 ||
    stop "the order is not signed by this fleet's signer: look who holds the cloud host"
{
    read -r whose
    read -r image
    read -r sha256
    read -r size
    read -r id
    read -r platform
    read -r clock
} <"$work/facts"
[ "$whose" = "$device" ] || stop "the order is for $whose, not for $device: look who holds the cloud host"
case $platform/$(uname -m) in
amd64/x86_64 | arm64/aarch64) ;;
*) stop "the order is for $platform, and this machine is $(uname -m): set images_platform in the host_vars of $device, and promote" ;;
esac

if [ "$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null)" != "$id" ]; then
    archive=$CACHE/$sha256.archive
    say "fetching the puller, $((size / 1048576)) MB"
    while [ "$(stat -c %s "$archive" 2>/dev/null || echo 0)" -lt "$size" ]; do
        curl -fsS --cacert "$work/ca.crt" --cert "$IDENTITY/host.crt" --key "$IDENTITY/host.key" --connect-timeout 15 \
            --speed-limit 1 --speed-time 60 -C - -o "$archive" "$depot/v1/blobs/$sha256" 2>"$work/error" ||
            pause "the link dropped ($(cat "$work/error"))"
    done
    echo "$sha256  $archive" | sha256sum -c --status || {
        rm -f "$archive"
        stop "the puller that came is damaged: run this again, and it is fetched anew"
    }
    docker load -q -i "$archive" >/dev/null || stop "the engine does not take the puller: see what it says above"
    rm -f "$archive"
fi

# --- the first run: from then on its timer does it ---
say "bringing $device to what it shall run; this takes a while"
while :; do
    code=0
    docker run --rm --pid=host --network=host --cap-add=ALL \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined --read-only --tmpfs /tmp:mode=0700,size=64m \
        -v "$IDENTITY:$IDENTITY" -v /opt/facefleet:/opt/facefleet -v "$CACHE:$CACHE" -v /var/run/docker.sock:/var/run/docker.sock \
        -e FACEFLEET_DEVICE="$device" -e FACEFLEET_DEPOT="$depot" -e FACEFLEET_IMAGE="$image" -e FACEFLEET_CLOCK="$clock" \
        "$image" || code=$?
    case $code in
    0) break ;;
    75) pause "it waits, and says above for what" ;;
    *) stop "it could not be brought to what it shall run; why stands above. When that is mended, run this again" ;;
    esac
done
say "$device runs what it shall, and looks for news by itself (systemctl list-timers facefleet-pull.timer)"
