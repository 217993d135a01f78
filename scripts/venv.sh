#!/usr/bin/env bash
# Makes .venv and installs the pinned, hashed requirements of requirements/$1.txt; does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=${1:?which requirements: runtime, local, aws, tracing or dev}
log=.venv/install.log

trouble() {
    echo "tocsin: $1" >&2
    exit 1
}

# The pinned packages have wheels for 3.11 to 3.13; a newer one is taken when there is nothing else.
find_python() {
    local candidate newest
    for newest in 13 99; do
        for candidate in python3 python3.13 python3.12 python3.11 python; do
            if "$candidate" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null; then
                echo "$candidate"
                return
            fi
        done
    done
    trouble "Python 3.11 or newer is needed and not found: install it (apt install python3 python3-venv, brew install python), then try again."
}

installed() {
    cat "requirements/$1.txt" requirements/*.in pyproject.toml | cksum
}

# pip's own lines go to the log; here one line says how far it is.
counted() {
    awk -v total="$1" -v terminal="$([ -t 2 ] && echo yes)" '
        { print > "'"$log"'"; fflush() }
        /^Collecting / {
            n++
            if (terminal) printf "\r  installing: %d of %d packages", n, total > "/dev/stderr"
            else if (n % 40 == 0) print "  installing: " n " of " total " packages" > "/dev/stderr"
        }
        END { if (terminal && n) print "" > "/dev/stderr" }'
}

stamp=.venv/.installed-$wanted
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(installed "$wanted")" ]; then
    exit 0
fi

[ -w . ] || trouble "no permission to write $PWD: make it yours (chown), or copy the project to a folder that is."

if ! .venv/bin/python -c "" 2>/dev/null; then
    found=$(find_python)
    [ ! -e .venv ] || trouble ".venv is there but its Python does not run: remove the folder (rm -rf .venv), then try again."
    echo "  making .venv with $("$found" --version)" >&2
    if ! made=$("$found" -m venv .venv 2>&1); then
        rm -rf .venv
        trouble "$found cannot make a virtual environment: install its venv module (apt install python3-venv), and look at the disk's space. It said: $(tail -n 1 <<<"$made")"
    fi
fi

total=$(grep -c '^[a-zA-Z0-9].*==' "requirements/$wanted.txt")
echo "  installing requirements/$wanted.txt (pinned, hashes checked)" >&2
if ! .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r "requirements/$wanted.txt" 2>&1 | counted "$total" ||
    ! .venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --quiet -e . >>"$log" 2>&1; then
    trouble "the requirements cannot be installed: look at the network (the first run needs it) and at the disk's space, then try again. $log ends with: $(grep -v '^ *$' "$log" | tail -n 2 | tr '\n' ' ')"
fi
installed "$wanted" >"$stamp"
# dev holds all of aws and tracing, and these all of local.
if [ "$wanted" = dev ]; then
    installed aws >.venv/.installed-aws
    installed tracing >.venv/.installed-tracing
fi
if [ "$wanted" != runtime ] && [ "$wanted" != local ]; then installed local >.venv/.installed-local; fi
