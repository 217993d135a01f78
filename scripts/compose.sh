#!/usr/bin/env bash
# Starts the stack in Docker: makes deploy/.env with drawn secrets unless it is there, builds the images, starts all.
set -euo pipefail
cd "$(dirname "$0")/.."

trouble() {
    echo "tocsin: $1" >&2
    exit 1
}

draw() { # 48 letters that mean nothing in a URL, a shell or a .env file
    head -c 36 /dev/urandom | base64 | tr '+/' '-_'
}

command -v docker >/dev/null || trouble "docker is not here: install Docker Engine with its compose plugin, or use \`make run\`, which needs neither."
docker compose version >/dev/null 2>&1 || trouble "docker has no \`compose\` here: install its plugin (docker-compose-v2 or docker-compose-plugin)."

if [ ! -f deploy/.env ]; then
    umask 077
    # Made beside it and moved: whoever interrupts this finds no half of a file.
    while IFS= read -r line; do
        case $line in
            POSTGRES_PASSWORD= | JWT_SECRET= | TOCSIN_LINK_SECRET= | GF_SECURITY_ADMIN_PASSWORD=) line=$line$(draw) ;;
        esac
        printf '%s\n' "$line"
    done <deploy/.env.example >deploy/.env.new
    mv deploy/.env.new deploy/.env
    echo "  made deploy/.env, with secrets of its own" >&2
fi

docker compose -f deploy/compose.yaml up --build --detach "$@"
docker compose -f deploy/compose.yaml ps
echo "  a token: docker compose -f deploy/compose.yaml run --rm tocsin token --user alice" >&2
