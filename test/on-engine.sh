#!/usr/bin/env bash
# Builds pgherd, finds or starts an engine with the images, and runs one of the programs beside the tests on it:
#
#   npm run bench   BENCH_ONLY names parts; BENCH_BRINGUPS, BENCH_NOOPS, BENCH_STARTUPS, BENCH_FAILOVERS and
#                   BENCH_SWITCHOVERS say how often
#   npm run test:chaos -- [options]   they stand in chaos.ts
#   npm run tour
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
shift
src/build/install.sh
npm run --silent build
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh
built=$(dirname "$program")/.run
trap 'rm -rf "$built"' EXIT
npx --no-install esbuild "$program" --bundle --platform=node --format=esm --log-level=warning \
  --loader:.sh=text --packages=external --out-extension:.js=.mjs --outdir="$built"
node "$built/$(basename "$program" .ts).mjs" "$@"
