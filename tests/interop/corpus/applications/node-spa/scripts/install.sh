#!/bin/sh
# Stands for a package manager: writes what each named package would install.
set -eu
into=$1
shift
for package in "$@"; do
    name=${package%%[=@]*}
    mkdir -p "$into/$name"
    echo "$package" > "$into/$name/VERSION"
    echo "contents of $name" > "$into/$name/main"
done
