"""Dockerfiles that together use all of the language that the engine has, with their contexts.

`{base}`, `{tools}` and `{onbuild}` in a Dockerfile are the images of `workshop.py`. Steps that must not be thrown away
by a cache (an empty `RUN true`) are there on purpose: they are where two builders count layers differently.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A regular file; text becomes bytes."""

    data: str | bytes = ""
    mode: int = 0o644

    def write(self, path: Path) -> None:
        path.write_bytes(self.data.encode() if isinstance(self.data, str) else self.data)
        path.chmod(self.mode)


@dataclass(frozen=True)
class Folder:
    """A directory for which its mode matters. Others need not be named."""

    mode: int = 0o755

    def write(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        path.chmod(self.mode)


@dataclass(frozen=True)
class Link:
    target: str

    def write(self, path: Path) -> None:
        path.symlink_to(self.target)


Entry = File | Folder | Link


@dataclass(frozen=True)
class Case:
    """`steps` are the RUN, COPY, ADD and WORKDIR steps of the final stage.

    `changed` is what a control changes: a file of the context, and the instruction that must not be a hit then.
    `not_for` says of builders that cannot take part why they cannot.
    """

    name: str
    dockerfile: str
    steps: int
    changed: tuple[str, str]
    files: Mapping[str, Entry] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    not_for: Mapping[str, str] = field(default_factory=dict)

    def write(self, context: Path, images: Mapping[str, str]) -> None:
        """The context with its Dockerfile. Modes are set whatever the umask: they are part of the keys."""
        context.mkdir(parents=True)
        context.chmod(0o755)
        for path, entry in {**self.files, "Dockerfile": File(self.dockerfile.format(**images))}.items():
            target = context / path
            for folder in reversed(target.relative_to(context).parents[:-1]):
                if not (context / folder).exists():
                    Folder().write(context / folder)
            entry.write(target)

    def change(self, context: Path) -> str:
        """Changes the file and nothing else of it (its size and mode stay); the instruction that sees it."""
        path, instruction = self.changed
        place = context / path
        mode = place.stat().st_mode & 0o7777
        place.write_bytes(place.read_bytes()[:-1] + b"#")
        os.chmod(place, mode)
        return instruction


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (("packed/one", b"1\n"), ("packed/two", b"2\n")):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o640, 1_700_000_000
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


SINGLE_STAGE = Case(
    name="single-stage",
    dockerfile="""FROM {base}
ENV GREETING=hello
WORKDIR /app
RUN echo $GREETING > greeting && mkdir data
RUN true
COPY a.txt b.txt data/
RUN cat data/a.txt greeting > both
WORKDIR deeper/still
LABEL some=label
CMD ["cat", "both"]
""",
    steps=6,
    files={"a.txt": File("a\n"), "b.txt": File("b\n"), "unused": File("?")},
    changed=("b.txt", "COPY a.txt b.txt data/"),
)
STAGES = Case(
    name="stages",
    dockerfile="""FROM {base} AS tree
RUN mkdir -p /out/sub && echo 1 > /out/one && echo 2 > /out/sub/two && ln -s one /out/link
FROM tree AS build
WORKDIR /src
COPY src .
RUN cat x > /out/x
FROM {base} AS unused
RUN echo never > /never
FROM {base} AS last
WORKDIR /work
RUN echo first > /first
COPY --from=build /out /out
COPY --from=tree /out/sub/t* /out/link /picked/
COPY --from=0 /out/one /one
COPY a.txt /
RUN cat /out/x > /end
""",
    steps=7,
    files={"src/x": File("x\n"), "src/deep/y": File("y\n"), "a.txt": File("a\n")},
    changed=("src/x", "COPY src ."),
)
GLOBS = Case(
    name="globs",
    dockerfile="""FROM {base}
COPY *.txt /texts/
COPY a.tx? /one/
COPY [b]*.txt exact.txt /two/
COPY d* /folders/
COPY d1/*/[x-y] /deep/
COPY l* /links/
COPY *.none exact.txt /nothing/
RUN ls -lR /texts /one /two /folders /deep /links /nothing > /seen
""",
    steps=8,
    files={
        "a.txt": File("a\n"),
        "b.txt": File("b\n"),
        "exact.txt": File("e\n"),
        "d1/s/x": File("x\n"),
        "d1/s/y": File("y\n", 0o600),
        "d1/t/y": File("other y\n"),
        "d2/to": Link("../a.txt"),
        "l-file": Link("a.txt"),
        "l-folder": Link("d1"),
    },
    changed=("d1/t/y", "COPY d* /folders/"),
)
TREES = Case(
    name="trees",
    dockerfile="""FROM {base}
COPY tree /tree
COPY tree/inner tree/plain /some/
COPY to-tree /followed
COPY to-file /file
COPY tree/up /up
COPY . /all/
RUN ls -lR /tree /some /followed /file /up /all > /seen
""",
    steps=7,
    files={
        "tree": Folder(0o750),
        "tree/plain": File("plain\n"),
        "tree/private": File("p\n", 0o600),
        "tree/program": File("#!/bin/sh\n", 0o755),
        "tree/set-uid": File("s\n", 0o4755),
        "tree/inner": Folder(0o1777),
        "tree/inner/ünï code": File("u\n"),
        "tree/a-b/c": File("1\n"),
        "tree/a/b": File("2\n"),
        "tree/empty": Folder(),
        "tree/link": Link("plain"),
        "tree/dangling": Link("nowhere"),
        "tree/absolute": Link("/etc/passwd"),
        "tree/up": Link("../to-file"),
        "to-tree": Link("tree"),
        "to-file": Link("tree/plain"),
    },
    changed=("tree/plain", "COPY to-file /file"),
)
OWNERS = Case(
    name="owners",
    dockerfile="""FROM {base}
COPY --chown=me:more a.txt /a
COPY --chown=me a.txt tree /b/
COPY --chown=12:34 tree /c
COPY --chown=root:0 a.txt /d
COPY --chown=0:more a.txt /e
COPY --chmod=640 a.txt /f
COPY --chown=me --chmod=0700 tree /g
USER me
WORKDIR /work
USER 1000:1001
WORKDIR more
RUN id > /work/more/id
USER root
WORKDIR /root/work
RUN stat -c '%u %g %a %n' /a /b/* /c/* /d /e /f /g/* /work /work/more > /seen
""",
    steps=12,
    files={"a.txt": File("a\n"), "tree/x": File("x\n"), "tree/y": File("y\n", 0o600)},
    changed=("tree/y", "COPY --chown=12:34 tree /c"),
)
ADD = Case(
    name="add",
    dockerfile="""FROM {base}
ADD archive.tgz /unpacked/
ADD a.txt /plain/
ADD --chown=me:more tree /tree
ADD *.txt archive.tgz /many/
RUN cat /unpacked/packed/one /many/packed/two
""",
    steps=5,
    files={"archive.tgz": File(_archive()), "a.txt": File("a\n"), "b.txt": File("b\n"), "tree/x": File("x\n")},
    changed=("tree/x", "ADD --chown=me:more tree /tree"),
)
WORDS = Case(
    name="words",
    dockerfile="""# escape=\\
FROM {base}
SHELL ["/bin/sh", "-e", "-c"]
RUN echo "quoted <tag> & 'more'" \\
    # a comment in between
    && echo \\
       ünïcödé\t> /text
RUN ["echo", "exec form", "a\\tb"]
SHELL ["/bin/sh", "-c"]
RUN   echo  spaces   are   kept    # and so is this
COPY ["a file.txt", "/with space/"]
COPY a.txt /
""",
    steps=5,
    files={"a file.txt": File("a\n"), "a.txt": File("a\n")},
    changed=("a file.txt", 'COPY ["a file.txt", "/with space/"]'),
)
VARIABLES = Case(
    name="variables",
    dockerfile="""ARG FLAVOUR=plain
ARG IMAGE={base}
FROM ${{IMAGE}}
ARG FLAVOUR
ARG WHO=root
ARG GIVEN=default
ARG UNSET
ARG TARGETARCH
ENV A=1 B=$A C=${{UNSET:-fallback}}
ENV A=2 PATH=/opt/bin:$PATH
RUN env > /seen
ARG LATE=${{C}}-late
COPY $FLAVOUR.txt /${{FLAVOUR}}/$GIVEN/
WORKDIR /${{LATE}}
USER $WHO
RUN echo "$A $B $C $FLAVOUR $GIVEN $LATE $TARGETARCH" > /end
EXPOSE 80 ${{A}}00/udp
VOLUME /data
ENTRYPOINT ["/bin/sh"]
""",
    steps=4,
    files={"plain.txt": File("p\n"), "spicy.txt": File("s\n")},
    arguments={"GIVEN": "from the command line", "FLAVOUR": "spicy"},
    changed=("spicy.txt", "COPY $FLAVOUR.txt /${FLAVOUR}/$GIVEN/"),
)
ONBUILD = Case(
    name="onbuild",
    dockerfile="""FROM {base} AS own
ONBUILD COPY own.txt /own
ONBUILD RUN cat /own > /own-too
FROM own AS stage
RUN echo stage > /stage
FROM {onbuild}
RUN echo end > /end
COPY --from=stage /own-too /stage /
""",
    steps=5,
    files={"app/main": File("m\n", 0o755), "own.txt": File("o\n")},
    changed=("app/main", "COPY app /app"),
)
IGNORED = Case(
    name="ignored",
    dockerfile="""FROM {base}
COPY . /app
COPY keep/*.txt /some/
RUN ls -R /app /some > /seen
""",
    steps=3,
    files={
        ".dockerignore": File("# everything but\n*\n!keep\n!src/deep/*.c\n**/*.log\nkeep/secret*\n!keep/secret-not\n"),
        "keep/a.txt": File("a\n"),
        "keep/b.log": File("b\n"),
        "keep/secret": File("s\n"),
        "keep/secret-not": File("n\n"),
        "src/deep/x.c": File("c\n"),
        "src/deep/x.o": File("o\n"),
        "other": File("o\n"),
    },
    changed=("src/deep/x.c", "COPY . /app"),
)
IGNORED_BELOW = Case(
    name="ignored-below",
    dockerfile="""FROM {base}
COPY . /app
RUN ls -R /app > /seen
""",
    steps=2,
    files={
        ".dockerignore": File("**\n!src/**/*.c\n!**/kept\nsrc/**/not.c\n"),
        "src/deep/x.c": File("c\n"),
        "src/deep/not.c": File("c\n"),
        "src/y.c": File("y\n"),
        "far/away/kept": File("k\n"),
        "far/other": File("o\n"),
    },
    changed=("src/deep/x.c", "COPY . /app"),
    not_for={
        "dockerd": "its client does not look for exceptions with ** below an excluded directory, so others are sent"
    },
)
FOREIGN = Case(
    name="foreign",
    dockerfile="""FROM scratch AS files
COPY a.txt /
COPY --from={tools} /opt/tools /tools/
FROM {base}
COPY --from={tools} /opt/tools/one /opt/tools/set /
COPY --from={tools} /opt/t* /all/
COPY --from=files / /files
RUN cat /one /files/a.txt /files/tools/one
""",
    steps=4,
    files={"a.txt": File("a\n")},
    changed=("a.txt", "COPY a.txt /"),
)
SCRATCH = Case(
    name="scratch",
    dockerfile="""FROM {base} AS build
COPY main /main
RUN cp /main /built
FROM scratch
COPY --from=build /built /bin/program
COPY main *.txt /
WORKDIR /bin
ENTRYPOINT ["/bin/program"]
""",
    steps=3,
    files={"main": File("m\n", 0o755), "a.txt": File("a\n")},
    changed=("a.txt", "COPY main *.txt /"),
)

CASES = (
    SINGLE_STAGE,
    STAGES,
    GLOBS,
    TREES,
    OWNERS,
    ADD,
    WORDS,
    VARIABLES,
    ONBUILD,
    IGNORED,
    IGNORED_BELOW,
    FOREIGN,
    SCRATCH,
)
