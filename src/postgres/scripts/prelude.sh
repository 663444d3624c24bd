#!/bin/sh
# Written by pgherd with every revision; a change here is lost.
set -eu
umask 077
rev=$(cd "$(dirname "$0")" && pwd -P)
home=$(dirname "$rev")
mount=$(dirname "$home")
data=$mount/pgdata
say() { echo "pgherd $(basename "$0"): $*" >&2; }
# mark LINK TARGET: replaces a link at once
mark() { ln -sfn "$2" "$home/$1.new" && mv -fT "$home/$1.new" "$home/$1"; }
