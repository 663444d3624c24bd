#!/usr/bin/env bash
# Installs the packages that package-lock.json names, unless node_modules holds exactly those already.
set -euo pipefail
cd "$(dirname "$0")/../.."

installed() {
  node -e '
    const packages = (file) => JSON.parse(require("node:fs").readFileSync(file, "utf8")).packages;
    const installed = packages("node_modules/.package-lock.json");
    const missing = Object.entries(packages("package-lock.json")).filter(
      ([folder, { version, optional }]) => folder !== "" && !optional && installed[folder]?.version !== version,
    );
    process.exit(missing.length === 0 ? 0 : 1);
  ' 2>/dev/null
}

if installed; then
  echo 'packages: here already'
else
  echo 'packages: installing (npm ci)'
  # No dependency needs its install script: the native parts of ssh2 are optional, and esbuild's only saves a few
  # milliseconds. Said here, not in .npmrc, where it would keep `npm pack` from building what it packs.
  npm ci --no-progress --ignore-scripts
fi
