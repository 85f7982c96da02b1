#!/bin/sh
# Install the Debian services that the tests talk to, where we may; otherwise say the command and go on.
set -eu

missing=""
want() { # binary package
    for folder in $(echo "$PATH" | tr : ' ') /usr/sbin /usr/lib/postgresql/*/bin; do
        [ -x "$folder/$1" ] && return 0
    done
    missing="$missing $2"
}

want mosquitto mosquitto
want mosquitto_pub mosquitto-clients
want influxd influxdb
want initdb postgresql
want chromium chromium
want cc "gcc libc6-dev"
if [ "${CI:-}" = true ]; then # elsewhere nobody gets node for a few tests
    want node nodejs
    want npm npm
fi
[ -e /usr/include/modbus/modbus.h ] || missing="$missing libmodbus-dev"
[ -n "$(ls /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc 2>/dev/null)" ] || missing="$missing fonts-noto-cjk"

[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "not a Debian machine; tests that need$missing will be skipped"
    exit 0
fi
if [ "$(id -u)" = 0 ]; then run=""; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then run="sudo"; else
    echo "no right to install services; tests that need them will be skipped. To enable: sudo apt-get install$missing"
    exit 0
fi
echo "installing$missing"
# RUNLEVEL=1 keeps Debian from starting the servers: the tests start their own, on free ports
$run apt-get update -qq || true
$run env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
    [ "${CI:-}" = true ] && exit 1
    echo "could not install$missing; the tests that need them will be skipped"
}
