#!/bin/sh
# Makes the virtual environment: setup-python.sh FOLDER [PYTHON]
# Ends with one clear line where this machine or its Python will not do.
set -eu

folder=$1
wanted=${2:-}

refuse() {
    echo "chatsite: $1" >&2
    exit 1
}

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    for name in ${wanted:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_supported "$name"; then
            echo "$name"
            return
        fi
    done
    version=$("${wanted:-python3}" --version 2>/dev/null | head -n 1)
    refuse "Python 3.11 to 3.14 is needed, but ${wanted:-python3} is ${version:-not there}; name another with PYTHON=…"
}

case $(uname -s) in
    Linux | Darwin) ;;
    *) refuse "this runs on Linux and macOS; on Windows use WSL" ;;
esac
if [ -e /etc/alpine-release ]; then
    refuse "Alpine Linux is not supported: the wheels of Valkey and Node need glibc"
fi

python=$(find_python)
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "$python has no venv module; install it (on Debian and Ubuntu: apt install python3-venv)"
"$python" -m venv "$folder"
