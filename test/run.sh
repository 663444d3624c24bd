#!/usr/bin/env bash
# Passes everything, from a fresh clone on: `npm test`. Packages, build, checks, an engine with the images, all tests but
# those of the long form, which `npm run test:sweep` runs in the same way.
# Arguments go to vitest: `npm test -- test/topology`, `npm test -- --project unit`, `npm run test:sweep -- kill`.
set -euo pipefail
cd "$(dirname "$0")/.."

start=$SECONDS
step() { printf '\n==> %s (%d s)\n' "$*" "$((SECONDS - start))"; }

step 'packages'
src/build/install.sh
step 'build'
npm run --silent build
step 'checks'
checks=passed
npm run --silent check || checks=failed
step 'engine and images'
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh 13 15 17 18
# One test starts an engine of its own, in namespaces; others look at real terminals, ask shells what they complete, and
# go to an SSH server.
missing=()
for package in bash-completion fish iproute2 libwrap0 openssh-client tmux zsh; do
  # It knows of packages that are not installed, too.
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
step 'tests'
case " $*" in *' --project'*) ;; *) set -- --project unit --project e2e "$@" ;; esac
tests=0
npx --no-install vitest run "$@" || tests=$?

if [ "$checks" = failed ]; then
  printf '\nThe checks failed, see "==> checks" above.\n' >&2
  exit 1
fi
exit "$tests"
