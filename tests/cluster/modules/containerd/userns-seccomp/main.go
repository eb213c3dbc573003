// Command userns-seccomp prints the seccomp profile with which a builder may make namespaces inside its own user
// namespace: containerd's RuntimeDefault for a container without capabilities, and the calls that enter and furnish
// namespaces. The kernel still asks for capabilities in the namespace at hand, so nothing of the node is opened.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var namespaceCalls = []string{
	"chroot",
	"clone",
	"clone3",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"keyctl",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"pivot_root",
	"setdomainname",
	"sethostname",
	"setns",
	"umount",
	"umount2",
	"unshare",
}

func main() {
	profile := seccomp.DefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	// The default has rules of its own for some of these (clone only without namespace flags, clone3 answers ENOSYS).
	// Two rules for one call are ambiguous, so the names leave the rules that have them.
	rules := make([]specs.LinuxSyscall, 0, len(profile.Syscalls)+1)
	for _, rule := range profile.Syscalls {
		rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool {
			return slices.Contains(namespaceCalls, name)
		})
		if len(rule.Names) > 0 {
			rules = append(rules, rule)
		}
	}
	profile.Syscalls = append(rules, specs.LinuxSyscall{Names: namespaceCalls, Action: specs.ActAllow})

	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
