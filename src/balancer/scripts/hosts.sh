#!/bin/sh
# Rewrites the readers' lines of /etc/hosts, from lines `address name` on standard input. Run as root, since the file is
# root's. Written in place and in one go, never shorter than before: who reads meanwhile must not see half a file, or the
# name would be asked of Docker's DNS, which may take seconds to say no.
# $1: link to leave behind, $2: what it tells.
set -eu
wanted=$(cat)
new=$(sed '/[[:space:]]reader[0-9]*$/d; /^#  *$/d' /etc/hosts; printf '%s\n' "$wanted")
missing=$(($(wc -c </etc/hosts) - ${#new} - 1))
if [ "$missing" -gt 2 ]; then new=$(printf '%s\n#%*s' "$new" "$((missing - 2))" ''); fi
printf '%s\n' "$new" | dd of=/etc/hosts conv=notrunc bs=65536 iflag=fullblock status=none
ln -sfn "$2" "$1.new" && mv -fT "$1.new" "$1"
