#!/bin/sh
# Make .venv and install the locked versions: setup.sh runtime|dev
set -eu
cd "$(dirname "$0")/.."
kind=${1:-runtime}
lock=requirements.lock
[ "$kind" = dev ] && lock=requirements-dev.lock

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi
}

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Caretaker needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Say PYTHON=/path/to/python3.11 make ..." >&2
    exit 1
}

if [ ! -x .venv/bin/python ]; then
    echo "making .venv"
    if command -v uv >/dev/null; then
        uv venv -q --python "$python" .venv
    elif ! "$python" -m venv .venv 2>/dev/null; then
        # Debian keeps venv in a package of its own
        rm -rf .venv
        as_root apt-get update -qq || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null || {
            echo "python3 can't make virtual environments here: sudo apt-get install python3-venv" >&2
            exit 1
        }
        "$python" -m venv .venv
    fi
fi

echo "installing $lock (some 70 packages; the first time takes a minute or two)"
if command -v uv >/dev/null; then
    uv pip install -q --compile-bytecode --python .venv/bin/python -r "$lock"
    uv pip install -q --python .venv/bin/python --no-deps -e .
else
    .venv/bin/python -m pip install -q --disable-pip-version-check -r "$lock"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
fi
touch .venv/runtime.stamp
[ "$kind" = dev ] && touch .venv/dev.stamp
exit 0
