#!/usr/bin/env bash
# `audit`: looks for known vulnerabilities of every pinned package. `sbom`: writes down what each installation is made of.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.tocsin/audit
service=${AUDIT_SERVICE:-osv} # osv or pypi: who is asked about vulnerabilities

prepare() {
    local stamp=$tools/.installed
    if [ -f "$stamp" ] && cmp -s requirements/audit.txt "$stamp"; then return; fi
    [ -x .venv/bin/python ] || scripts/venv.sh local
    .venv/bin/python -m venv "$tools"
    echo "  installing requirements/audit.txt (pinned, hashes checked)" >&2
    "$tools/bin/python" -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/audit.txt
    cp requirements/audit.txt "$stamp"
}

# Every file that somebody installs, the tools of this script included.
audit() {
    local failed=0 file log=$tools/audit.log
    for file in requirements/*.txt; do
        # Pinned and hashed: nothing is resolved, and nothing is asked of a package index.
        if "$tools/bin/pip-audit" --disable-pip --require-hashes --progress-spinner off --vulnerability-service "$service" \
            --timeout 20 -r "$file" >"$log" 2>&1; then
            echo "  $file: $(tail -n 1 "$log")"
        elif grep -qE '^(Name|Found [0-9]+ known)' "$log"; then
            failed=1
            echo "  $file:"
            cat "$log"
        else
            failed=2
            echo "  $file: not looked at, since $service does not answer ($(grep -v '^ *$' "$log" | tail -n 1 | cut -c 1-200))" >&2
            break
        fi
    done
    if [ "$failed" = 2 ]; then
        echo "tocsin: nothing is known about vulnerabilities without the network: try again where there is one, or AUDIT_SERVICE=pypi" >&2
    fi
    exit "$failed"
}

sbom() {
    mkdir -p build/sbom
    local name
    for name in runtime local aws tracing; do
        # Its warning is that a list of pinned packages says nothing of who needs whom.
        PYTHONWARNINGS=ignore "$tools/bin/cyclonedx-py" requirements "requirements/$name.txt" --pyproject pyproject.toml --output-reproducible \
            --of JSON -o "build/sbom/tocsin-$name.cdx.json"
        echo "  build/sbom/tocsin-$name.cdx.json"
    done
}

prepare
"${1:?audit or sbom}"
