"""The seccomp filter of steps: everything is allowed but what docker's default profile keeps from containers.

A list of what is refused, and not docker's list of what is allowed: new system calls then work as soon as a kernel has
them. Those that only CAP_SYS_ADMIN and its like could use are refused by the kernel anyway, since steps do not have it;
what is listed is what is dangerous without any capability, or a wide attack surface.
"""

_REFUSED = (
    "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module", "finit_module",
    "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "init_module", "io_uring_enter",
    "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "lookup_dcookie", "mount", "mount_setattr", "move_mount", "move_pages", "nfsservctl", "open_by_handle_at",
    "open_tree", "perf_event_open", "pivot_root", "process_vm_readv", "process_vm_writev", "query_module", "quotactl",
    "quotactl_fd", "reboot", "request_key", "setns", "settimeofday", "stime", "swapoff", "swapon", "sysfs", "_sysctl",
    "syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vhangup", "vm86", "vm86old",
)  # fmt: skip


def seccomp_profile() -> dict[str, object]:
    """For `linux.seccomp` of an OCI config. Names that a libseccomp does not know are skipped by the runtimes."""
    new_user_namespace = 0x10000000
    hypervisor = 40  # AF_VSOCK: no network namespace keeps a step from the machine's host
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        if _is_x86()
        else ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "syscalls": [
            {"names": list(_REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 1,
                "args": [
                    {
                        "index": 0,
                        "value": new_user_namespace,
                        "valueTwo": new_user_namespace,
                        "op": "SCMP_CMP_MASKED_EQ",
                    }
                ],
            },
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 97,
                "args": [{"index": 0, "value": hypervisor, "op": "SCMP_CMP_EQ"}],
            },
            # Its flags are behind a pointer, which a filter cannot see: ENOSYS makes libc fall back to clone.
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        ],
    }


def _is_x86() -> bool:
    import platform

    return platform.machine() in {"x86_64", "amd64"}
