#!/bin/bash
# kubelet.sh FLAGS…: the kubelet, kept from writing the host's sysctls.
#
# It insists on six sysctls and sets them where they differ, among them kernel.panic_on_oops=1, which is not ours to set on
# somebody's machine. In a mount namespace of its own it finds files that already say what it wants to read.
# Only the kubelet may see those: with anything mounted over a part of the node's /proc, the kernel refuses a fresh proc
# in a user namespace, and no `hostUsers: false` pod would start.
set -eu
mount --make-private /proc
while IFS== read -r name value; do
  file=/proc/sys/$name
  [ -e "$file" ] || continue
  shown=/run/sysctl-${name//\//-}
  echo "$value" >"$shown"
  mount --bind "$shown" "$file"
done <<'SETTINGS'
vm/overcommit_memory=1
vm/panic_on_oom=0
kernel/panic=10
kernel/panic_on_oops=1
kernel/keys/root_maxkeys=1000000
kernel/keys/root_maxbytes=25000000
SETTINGS
exec kubelet "$@"
