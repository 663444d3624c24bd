#!/usr/bin/env bash
# Runs the scenario of test/e2e/majors.test.ts on several versions of PostgreSQL, on all there are images of unless some
# are named, and prints which builds these were:
#
#   npm run test:matrix [-- MAJOR...]
set -euo pipefail
cd "$(dirname "$0")/.."

majors=("$@")
[ $# -gt 0 ] || majors=(13 15 17 18)
src/build/install.sh
npm run --silent build
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh "${majors[@]}"
export PGHERD_MAJORS="${majors[*]}"
npx --no-install vitest run --project e2e test/e2e/majors.test.ts
for major in "${majors[@]}"; do
  docker run --rm --entrypoint postgres "postgres:$major" --version
done
