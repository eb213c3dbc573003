"""Which user namespace are we in?"""


def in_user_namespace() -> bool:
    """True unless all ids are mapped one to one, as in the machine's first user namespace."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            lines = file.read().split()
    except OSError:
        return False
    return lines != ["0", "0", "4294967295"]
