#!/usr/bin/env bash
# `npm run test:chaos -- [options]`: finds or starts an engine, gets the images, builds pgherd and does harm to a cluster
# that it keeps. The options stand in chaos.ts.
set -euo pipefail
cd "$(dirname "$0")/../.."
src/build/install.sh
npm run --silent build
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh
trap "rm -rf test/chaos/.run" EXIT
npx --no-install esbuild test/chaos/chaos.ts --bundle --platform=node --format=esm --log-level=warning \
  --loader:.sh=text --packages=external --outfile="test/chaos/.run/chaos.mjs"
node test/chaos/.run/chaos.mjs "$@"
