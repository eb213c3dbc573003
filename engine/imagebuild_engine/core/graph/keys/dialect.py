"""The forms of keys, by version of BuildKit."""

from enum import IntEnum


class Dialect(IntEnum):
    """Versions of BuildKit that write every op in the same way, the newest first; each says in what it differs.

    A version is a daemon with the Dockerfile frontend inside it. What differs in the content of what is read (patterns)
    is no part of this: see `ContentRequest.digests`.

    Left out, neither written nor believed, is every older form that says less than the step does, for another step has
    the same key there:

    - v0.8 ignores limits (`--ulimit`, `--cgroup-parent`, `--shm-size`): its key of such a RUN is that of a plain one,
      and v0.10 gives that key to plain RUNs only;
    - up to v0.13 a symbolic `--chmod` is ignored: the key is that of the copy without it;
    - v0.10 makes the files of a COPY's heredocs with mode 0664: they are other files;
    - v0.9 to v0.25 list what patterns choose in a way that may fit another tree (`selection.by_names`).

    What a version cannot say at all (v0.8 has no merge, nor v0.13 a secret in the environment) has the form of the
    oldest that can. Nobody asks for it, and there is nothing more to write.
    """

    V0_22 = 0
    """As today (v0.34)."""
    V0_18 = 1
    """The directory of WORKDIR has no time, though a SOURCE_DATE_EPOCH is given. Only times differ."""
    V0_17 = 2
    """Owners are `ByID`, also for 0, and `ByName`."""
    V0_16 = 3
    """JSON of gogo protobuf: `input` and `output` of mounts and merges, and the input of a named owner, are written
    even where they are 0; owners are `byID`."""
    V0_13 = 4
    """Secrets and ssh agents are mounted from input 0, and count as uses of it."""
    V0_11 = 5
    """A RUN selects of an input only what a mount names, of its root nothing; caches have their id and sharing; the
    text of a merge stands in the place of its digest."""
    V0_9 = 6
    """A RUN does not say removeMountStubsRecursive."""
    V0_8 = 7
    """A tmpfs has no TmpfsOpt."""
