"""Which user namespace are we in, and who is there besides us?"""


def in_user_namespace() -> bool:
    """True unless all ids are mapped one to one, as in the machine's first user namespace."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            lines = file.read().split()
    except OSError:
        return False
    return lines != ["0", "0", "4294967295"]


def mapped_ids() -> int:
    """How many user ids are mapped here without a gap, counted from 0."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = sorted((int(line.split()[0]), int(line.split()[2])) for line in file)
    except OSError:
        return 0
    end = 0
    for start, length in ranges:
        if start > end:
            break
        end = max(end, start + length)
    return end
