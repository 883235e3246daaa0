#!/bin/sh
# Checks that both libraries under the prefix $1 export the functions that the
# header declares, and nothing else.
set -eu

want=$(cpp -P -std=c99 "$1/include/imreuse.h" | tr -s ' \n\t' ' ' | grep -o 'imreuse_[a-z_]* *(' | tr -d ' (' | grep -v -x -e imreuse_done -e imreuse_changed | sort -u)
[ "$(echo "$want" | wc -l)" -gt 30 ] # the header was understood

check() {
  if [ "$2" != "$want" ]; then
    echo "$1 does not export the functions of the header, but:"
    printf '%s\n' "$2" >"$scratch/got"
    printf '%s\n' "$want" >"$scratch/want"
    diff "$scratch/want" "$scratch/got" || true
    exit 1
  fi
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
check libimreuse.so "$(nm -D --defined-only --format=posix "$1/lib/libimreuse.so" | cut -d ' ' -f 1 | sort)"
check libimreuse.a "$(nm -g --defined-only --format=posix "$1/lib/libimreuse.a" | grep -v ':$' | cut -d ' ' -f 1 | grep . | sort)"
