#!/bin/sh
set -eu
. ./config.status
if [ "${1-}" = install ]; then
    for argument in "$@"; do case $argument in DESTDIR=*) into=${argument#DESTDIR=} ;; esac; done
    mkdir -p "$into$prefix/bin" "$into$sysconfdir"
    cp daemon "$into$prefix/bin/" && chmod 775 "$into$prefix/bin/daemon"
    cp src/daemon.conf "$into$sysconfdir/"
else
    for source in src/*.c; do cp "$source" "$(basename "$source" .c).o"; done
    cat ./*.o > daemon
fi
