#!/bin/bash
# node-init.sh NODE STATE: process 1 of a node's namespaces. When it dies, the kernel ends everything in them.
# NODE is the node's name (n1), STATE the node's folder. PATH begins with the cluster's programs.
set -eu
node=$1 state=$2 address=$3 pki=$4

hostname "$node"
mount --make-rshared /   # pods' volumes travel between kubelet and containerd
mount -t proc proc /proc
mount --bind "$state/var" /var
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns /var/log/pods /var/log/containers /var/lib/kubelet /var/lib/cni

# The other end of the cable is plugged in from outside.
while [ ! -e "$state/network-ready" ]; do sleep 0.05; done

# keep NAME COMMAND…: in the background, started anew a second after it ends. The log tells of every start.
keep() {
  local name=$1
  shift
  while :; do
    echo "--- $(date -u +%FT%TZ) $name starts"
    "$@" || true
    sleep 1
  done >>"$state/log/$name.log" 2>&1 </dev/null &
}

keep containerd containerd --config "$state/etc/containerd.toml"
while [ ! -S /run/containerd/containerd.sock ]; do sleep 0.05; done
keep kubelet unshare --mount --propagation unchanged "$(dirname "$0")/kubelet.sh" \
  --config="$state/etc/kubelet.json" --kubeconfig="$pki/$node.kubeconfig" \
  --hostname-override="$node" --node-ip="$address" --v=1
keep kube-proxy kube-proxy --config="$state/etc/kube-proxy.json" --v=1

# Process 1 of a pid namespace ignores every signal it has no handler for; a waiting shell buries orphans.
trap 'exit 0' TERM INT
while :; do
  wait -n || true
done
