#!/usr/bin/env bash
# `npm run tour`: finds or starts an engine, gets the images, builds pgherd and renews what the README's tour shows.
set -euo pipefail
cd "$(dirname "$0")/../.."
src/build/install.sh
npm run --silent build
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh
trap "rm -rf test/tour/.run" EXIT
npx --no-install esbuild test/tour/tour.ts --bundle --platform=node --format=esm --log-level=warning \
  --packages=external --outfile="test/tour/.run/tour.mjs"
node test/tour/.run/tour.mjs
