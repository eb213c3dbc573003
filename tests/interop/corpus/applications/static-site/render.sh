#!/bin/sh
set -eu
for page in $(find content -name "*.md" | sort); do
    out="$2/${page#content/}"
    mkdir -p "$(dirname "$out")"
    { echo "<base href=$1>"; sed "s/^# \(.*\)/<h1>\1<\/h1>/" "$page"; } > "${out%.md}.html"
done
