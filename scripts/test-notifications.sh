#!/usr/bin/env bash
# Teste toute l'installation qui tourne : santé de l'API, connexions des services, création de notifications, envoi
# immédiat, planificateur, statistiques. Code de sortie 0 si tout va bien, 1 sinon. Rien ne part : ce sont les adresses
# de simulation. Tests the running installation the same way; `tocsin doctor` explains what is wrong.
# Options: --url, --token, --json.
set -euo pipefail
cd "$(dirname "$0")/.."

tocsin=.venv/bin/tocsin
if [ ! -x "$tocsin" ]; then
    echo "tocsin: $tocsin is not there: run \`make run\` first." >&2
    exit 1
fi
exec "$tocsin" doctor --try --french "$@"
