#!/bin/sh
# Stands for a compiler: joins the sources behind a header that names the target.
set -eu
out=$1
shift
{ echo "#!/bin/sh"; echo "# ${GOOS:-linux}/${GOARCH:-amd64} ${LDFLAGS:-}"; cat "$@"; } > "$out"
chmod 755 "$out"
