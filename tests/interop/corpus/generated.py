"""Random Dockerfiles from a grammar, each made wholly by its seed.

What they do never fails: a command that cannot do its work as this user, on this tree, does nothing, in every builder
alike. `IMAGEBUILD_SEEDS=1000-1200` takes other seeds than the usual ones. A seed that found a mistake stays: its
number goes to `KEPT`, or what it showed becomes a case of its theme.
"""

import os
from collections.abc import Callable, Mapping
from random import Random

from . import reasons
from .case import Case, Entry, File, Folder, Link

USUAL = range(30)
KEPT: tuple[int, ...] = ()

_FOLDERS = ("/a", "/b", "/a/b", "/srv/data", "/opt/x.d", "/tmp", "/etc")
_OWNERS = ("me", "me:more", "12:34", "root", "0:more", "1000")
_MODES = ("640", "0755", "4711", "1777", "0")
_SYMBOLIC = ("u=rwx,go=", "+x", "a-w", "g+s,o=r")
_USERS = ("me", "root", "1000:1001", "0")
_NAMES = ("one", "two", "three.txt", "four.txt", "five.c", "six.d", "with space", "ünï")


def generated_cases() -> tuple[Case, ...]:
    chosen = os.environ.get("IMAGEBUILD_SEEDS", "")
    if not chosen:
        return tuple(generated(seed) for seed in (*USUAL, *KEPT))
    first, _, last = chosen.partition("-")
    return tuple(generated(seed) for seed in range(int(first), int(last or first) + 1))


def generated(seed: int) -> Case:
    return _Writer(seed).case()


class _Writer:
    """Writes one Dockerfile, line by line."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.modern = self.random.random() < 0.6
        self.files = self._context()
        self.lines: list[str] = []
        self.stages: list[str] = []
        self.bare: set[str] = {"scratch"}  # stages without a shell
        self.shell = True
        self.refused: Mapping[str, str] = {}
        self.runs = 0

    def case(self) -> Case:
        for number in range(self.random.choice((1, 1, 2, 2, 3))):
            self._stage(number)
        return Case(
            name=f"seed-{self.seed}",
            dockerfile="\n".join(self.lines) + "\n",
            files=self.files,
            arguments={"GIVEN": f"given {self.seed}"},
            refused=self.refused,
        )

    def _context(self) -> dict[str, Entry]:
        """A few folders and files, some of them links; every content is of this seed alone."""
        files: dict[str, Entry] = {}
        folders = ["", *(f"d{number}" for number in range(self.random.randint(1, 3))), "d0/deep"]
        for folder in folders:
            if folder and self.random.random() < 0.3:
                files[folder] = Folder(self.random.choice((0o750, 0o1777, 0o2755)))
            for name in self.random.sample(_NAMES, self.random.randint(1, 4)):
                path = f"{folder}/{name}".lstrip("/")
                mode = self.random.choice((0o644, 0o644, 0o755, 0o600, 0o4755))
                files[path] = File(f"{path} of {self.seed}\n", mode)
            if folder and self.random.random() < 0.3:  # at the top a pattern would follow it
                files[f"{folder}/link"] = Link(self.random.choice(("one", "nowhere", "../d0", "/etc/passwd")))
        if self.random.random() < 0.4:
            files[".dockerignore"] = File("\n".join(self.random.sample(_IGNORED, self.random.randint(1, 3))) + "\n")
        return files

    def _stage(self, number: int) -> None:
        sources = ["registry.test/base"] * 3 + ["registry.test/configured", "scratch", *self.stages]
        source = self.random.choice(sources)
        name = f"stage{number}"
        self.lines.append(f"FROM {source} AS {name}")
        self.shell = source not in self.bare
        if not self.shell:
            self.bare.add(name)
        if source == "scratch":  # not WORKDIR first: BuildKit makes that one anew even with its own cache
            self.lines.append(f"COPY . /all-{self.seed}/")
        for _ in range(self.random.randint(2, 7)):
            self._instruction()
        self.stages.append(name)

    def _instruction(self) -> None:
        makers: list[Callable[[], str]] = [self._copy, self._copy, self._workdir, self._setting, self._add]
        if self.shell:
            makers += [self._run] * 4 + [self._mounted_run, self._user]
        if self.stages:
            makers += [self._copy_from] * 2
        if self.modern:
            makers += [self._heredoc, self._modern_copy]
        self.lines.append(self.random.choice(makers)())

    def _folder(self) -> str:
        return self.random.choice(_FOLDERS)

    def _source(self) -> str:
        """A path of the context that is surely there and sent: every context has files at its top and in d0."""
        kept = [path for path, entry in self.files.items() if isinstance(entry, File) and not _ignorable(path)]
        return self.random.choice([*(path for path in kept if " " not in path), ".", "*", "./"])

    def _copy(self) -> str:
        flags = "".join(f"{flag} " for flag in self._flags())
        return f"COPY {flags}{self._source()} {self._folder()}/"

    def _flags(self) -> list[str]:
        flags = []
        if self.random.random() < 0.3:
            flags.append(f"--chown={self.random.choice(_OWNERS if self.shell else _OWNERS[2:3])}")
        return flags

    def _modern_copy(self) -> str:
        flag, reason = self.random.choice(
            (
                ("--link", reasons.LINK),
                ("--exclude=*.txt", reasons.EXCLUDE),
                ("--exclude=**/deep --exclude=one", reasons.EXCLUDE),
                ("--parents", reasons.PARENTS),
                (f"--link --chmod={self.random.choice((*_MODES, *_SYMBOLIC))}", reasons.LINK),
                (f"--parents --chmod={self.random.choice(_MODES)}", reasons.PARENTS),
                ("--link --parents", reasons.PARENTS),
            )
        )
        self.refused = reason
        sources = ("d0", "*") if "--parents" in flag else (".", "d0", "*")  # the context itself has no parents
        return f"COPY {flag} {self.random.choice(sources)} {self._folder()}/{self.random.choice(('', 'new/'))}"

    def _add(self) -> str:
        return f"ADD {self._source()} {self._folder()}/added/"

    def _copy_from(self) -> str:
        stage = self.random.choice(self.stages)
        source = self.random.choice(("/", f"/etc-{self.seed}*", "/a*", "/[b-d]*", "/"))
        into = self.random.choice(("/from/", f"/from-{stage}/", "/a/"))
        flag = f"--chown={self.random.choice(('12:34', '0'))} " if self.random.random() < 0.3 else ""
        if source == "/" and stage not in self.bare:
            source = "/etc/passwd"
        elif source != "/":
            source += " /" if stage in self.bare else " /etc/group"
        return f"COPY --from={stage} {flag}{source} {into}"

    def _workdir(self) -> str:
        return f"WORKDIR {self.random.choice((*_FOLDERS, 'relative', '../up', '/a/../c', '/', '$HOME'))}"

    def _user(self) -> str:
        return f"USER {self.random.choice(_USERS)}"

    def _setting(self) -> str:
        number = self.random.randint(0, 9)
        triggers = [f"ONBUILD RUN echo {number}"] if self.shell else []
        return self.random.choice(
            (
                *triggers,
                f"ENV A{number}=$A{number}x B=${{B:-{number}}}",
                f"ENV PATH=/opt/{number}:$PATH",
                f'ENV C "{number} $GIVEN"',
                "ARG GIVEN",
                f"ARG N{number}={number}$B",
                f'LABEL l{number}="$B" other={number}',
                f"EXPOSE {number}00{number}/udp",
                f"VOLUME /v{number} /w",
                f'CMD ["c", "{number}"]',
                f"CMD echo {number}",
                f'ENTRYPOINT ["e{number}"]',
                'SHELL ["/bin/sh", "-c"]',
                "STOPSIGNAL SIGINT",
                f"HEALTHCHECK --interval={number + 1}s CMD true",
                "# only a comment",
            )
        )

    def _run(self) -> str:
        self.runs += 1
        here, there = self._folder(), self._folder()
        command = self.random.choice(
            (
                f"mkdir -p {here}/made{self.runs} && echo {self.seed} $B $GIVEN > {here}/made{self.runs}/file",
                f"echo {self.runs} > run-{self.runs}",
                f"rm -rf {here}/one {there}/two",
                f"rm -rf {here}/* && echo cleaned > /cleaned-{self.runs}",
                f"mkdir -p {here} {there} && ln -sfn {here} {there}/to-{self.runs}",
                f"touch {here}/first && ln -f {here}/first {here}/hard-{self.runs}",
                f"chmod -R o-rwx {here}; chown 5:6 {there}",
                f"cp -a {here} {there}/copy-{self.runs}",
                f"mv {here}/one {there}/moved-{self.runs}",
                f"mkfifo {here}/pipe-{self.runs}; mknod {here}/null-{self.runs} c 1 3",
                "env | grep -v -e OTEL_ -e TRACEPARENT > /tmp/env",
                f"find {here} | sort > /tmp/found-{self.runs}",
                "true",
            )
        )
        ending = self.random.choice(("", "", " # a comment", " \\\n  # between\n  && true"))
        form = self.random.random()
        if form < 0.15:
            return f'RUN ["/bin/sh", "-c", "{command} 2>/dev/null; true"]'
        return f"RUN {{ {command}; }} 2>/dev/null || true{ending}"

    def _mounted_run(self) -> str:
        self.runs += 1
        stage = f"from={self.random.choice(self.stages)}," if self.stages and self.random.random() < 0.5 else ""
        place = f"/mount-{self.runs}"
        mount = self.random.choice(
            (
                f"type=bind,{stage}target={place}",
                f"type=bind,{stage}target={place},rw",
                f"type=cache,id=seed-{self.seed}-{self.runs},target={place}",
                f"type=tmpfs,target={place}",
            )
        )
        command = self.random.choice((f"ls {place}/d0", f"cat {place}/one", f"touch {place}/new; ls {place}/new"))
        return f"RUN --mount={mount} {{ {command}; }} > /tmp/mounted-{self.runs} 2>/dev/null || true"

    def _heredoc(self) -> str:
        self.refused = reasons.HEREDOCS
        self.runs += 1
        if self.shell and self.random.random() < 0.5:
            shebang = self.random.choice(("", "#!/bin/sh\n"))
            return f"RUN <<EOF\n{shebang}echo {self.seed} $B > /tmp/heredoc-{self.runs}\ntrue\nEOF"
        quote = self.random.choice(("", '"'))
        return f"COPY <<{quote}EOF{quote} {self._folder()}/heredoc-{self.runs}\n{self.seed} $B \\$B\nEOF"


_IGNORED = ("*.txt", "!four.txt", "d1", "**/deep", "d2/*", "!d2/one", "# a comment", "**/*.c", "four.txt")


def _ignorable(path: str) -> bool:
    """Whether some .dockerignore of ours could take the path away, or it may not be at the top."""
    return path.endswith((".txt", ".c")) or "/" in path or path.startswith(".") or "deep" in path
