#!/usr/bin/env bash
# Runs every check of the sources, all of them even if one fails: `npm run check`.
set -uo pipefail
cd "$(dirname "$0")/../.."

failed=()
for check in generated types lint format imports unused; do
  printf 'check:%s\n' "$check"
  npm run --silent "check:$check" || failed+=("$check")
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'checks failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
