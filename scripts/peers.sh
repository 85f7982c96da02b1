#!/bin/sh
# Install the encoders of others that tests compare us with (tests/peers), where node is; otherwise say so and go on.
set -eu
cd "$(dirname "$0")/../tests/peers"

[ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && exit 0
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "node and npm are not here; the tests that need them will be skipped. To enable: sudo apt-get install nodejs npm"
    exit 0
fi
echo "installing tests/peers"
npm ci --silent --ignore-scripts --no-audit --no-fund || {
    [ "${CI:-}" = true ] && exit 1
    echo "could not install tests/peers; the tests that need them will be skipped"
}
