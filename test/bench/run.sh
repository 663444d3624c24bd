#!/usr/bin/env bash
# `npm run bench`: finds or starts an engine, gets the images, builds pgherd and measures it. BENCH_BRINGUPS,
# BENCH_NOOPS, BENCH_STARTUPS, BENCH_FAILOVERS and BENCH_SWITCHOVERS say how often.
set -euo pipefail
cd "$(dirname "$0")/../.."
src/build/install.sh
npm run --silent build
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh
trap "rm -rf test/bench/.run" EXIT
npx --no-install esbuild test/bench/bench.ts --bundle --platform=node --format=esm --log-level=warning \
  --loader:.sh=text --packages=external --outfile="test/bench/.run/bench.mjs"
node test/bench/.run/bench.mjs
