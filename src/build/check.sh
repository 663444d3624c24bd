#!/usr/bin/env bash
# Runs every check of the sources, all of them even if one fails: `npm run check`.
set -uo pipefail
cd "$(dirname "$0")/../.."

said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
declare -A running
# Side by side: the longest takes as long as all others together.
checks=(lint generated types format imports unused)
for check in "${checks[@]}"; do
  npm run --silent "check:$check" >"$said/$check" 2>&1 &
  running[$check]=$!
done
failed=()
for check in "${checks[@]}"; do
  wait "${running[$check]}" || failed+=("$check")
  printf 'check:%s\n' "$check"
  cat "$said/$check"
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'checks failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
