"""COPY: paths, patterns, trees, links, owners and modes."""

from . import reasons
from .case import Case, Fifo, File, Folder, HardLink, Link
from .files import sources, tree

CASES = (
    Case(
        name="copy-globs",
        dockerfile="""FROM registry.test/base
COPY *.txt /texts/
COPY a.tx? /one/
COPY [b]*.txt exact.txt /two/
COPY d* /folders/
COPY d1/*/[x-y] /deep/
COPY l* /links/
COPY *.none exact.txt /nothing/
RUN ls -lR /texts /one /two /folders /deep /links /nothing | sed 's/ [A-Z][a-z][a-z] .*:[0-9]* / /' > /seen
""",
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
    ),
    Case(
        name="copy-trees",
        dockerfile="""FROM registry.test/base
COPY tree /tree
COPY tree/inner tree/plain /some/
COPY to-tree /followed
COPY to-file /file
COPY tree/up /up
COPY . /all/
RUN find /tree /some /followed /file /up /all | sort > /seen
""",
        files=tree(),
        changed=("tree/plain", "COPY to-file /file"),
    ),
    Case(
        name="copy-owners",
        dockerfile="""FROM registry.test/base
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
        files={"a.txt": File("a\n"), "tree/x": File("x\n"), "tree/y": File("y\n", 0o600)},
        changed=("tree/y", "COPY --chown=12:34 tree /c"),
    ),
    Case(
        name="copy-scratch",
        dockerfile="""FROM registry.test/base AS build
COPY main /main
RUN cp /main /built
FROM scratch
COPY --from=build /built /bin/program
COPY main *.txt /
WORKDIR /bin
ENTRYPOINT ["/bin/program"]
""",
        files={"main": File("copy-scratch\n", 0o755), "a.txt": File("a\n")},
        changed=("a.txt", "COPY main *.txt /"),
    ),
    Case(
        name="copy-destinations",
        dockerfile="""FROM registry.test/base
WORKDIR /app
COPY a.txt .
COPY a.txt ./
COPY a.txt b.txt ./pair/
COPY a.txt renamed.txt
COPY a.txt ../up.txt
COPY a.txt /x/../y/./z.txt
COPY a.txt /folder/
COPY src/ /src-with/
COPY src /src-without
COPY src/. /src-dot/
COPY src /app/sub/deeper
COPY ["a.txt", "b.txt", "/json form/"]
COPY . .
""",
        files=sources(),
    ),
    Case(
        name="copy-over",
        dockerfile="""FROM registry.test/base
RUN mkdir -p /d && echo old > /d/a.txt && echo kept > /d/kept && chmod 700 /d && ln -s d /to-d && ln -s kept /d/link
COPY a.txt /d/
COPY src /d/
COPY a.txt /to-d/through
COPY b.txt /d/link
COPY a.txt /etc/passwd-
RUN stat -c '%a %u %g %F %n' /d /d/* /to-d > /seen
""",
        files=sources(),
    ),
    Case(
        name="copy-links",
        dockerfile="""FROM registry.test/base
COPY first second /hard/
COPY all /tree/
COPY chain /chain
COPY folder-link/file /through
COPY folder-link /followed/
COPY out /out
""",
        files={
            "first": File("f\n"),
            "second": HardLink("first"),
            "all/one": File("1\n", 0o640),
            "all/two": HardLink("one"),
            "all/to-one": Link("one"),
            "all/loop": Link("loop"),
            "chain": Link("chain-1"),
            "chain-1": Link("all/to-one"),
            "folder/file": File("x\n"),
            "folder-link": Link("folder"),
            "out": Link("/first"),
        },
    ),
    Case(
        name="copy-modes",
        dockerfile="""FROM registry.test/base
COPY m /m
COPY m /n/
COPY --chmod=4711 m/f /o
COPY --chmod=0 m/g /p
COPY --chmod=1777 m /q
""",
        files={
            "m": Folder(0o1777),
            "m/f": File("1", 0o4755),
            "m/g": File("2", 0o600),
            "m/s": Folder(0o2750),
            "m/s/none": File("3", 0o000),
            "m/s/all": File("4", 0o777),
        },
    ),
    Case(
        name="copy-symbolic-modes",
        dockerfile="""FROM registry.test/base
COPY --chmod=u=rwx,g=rx,o= a.txt /a
COPY --chmod=+x b.txt /b
COPY --chmod=go-w,a+X src /src
COPY --chmod=u+s,g+s exact.txt /c
COPY --chmod=a=,u=r docs /docs
COPY --chmod=o=u a.txt /d
""",
        files=sources(),
    ),
    Case(
        name="copy-special",
        dockerfile="""FROM registry.test/base
COPY things /things
COPY things/pipe /pipe
""",
        files={
            "things/pipe": Fifo(0o620),
            "things/marked": File("m\n", xattrs={"user.comment": "kept"}),
            "things/empty": File(""),
            "things/back\\slash": File("b\n"),
            "things/new\nline": File("n\n"),
            "things/-dash": File("-\n"),
            "things/日本": File("j\n"),
        },
    ),
    Case(
        name="copy-exclude",
        dockerfile="""FROM registry.test/base
COPY --exclude=*.txt --exclude=src/lib . /a/
COPY --exclude=**/*.o --exclude=**/test src /b/
COPY --exclude=index.md docs/ /c/
COPY --exclude=a* *.txt /d/
ADD --exclude=docs . /e/
""",
        files=sources(),
        refused=reasons.EXCLUDE,
    ),
    Case(
        name="copy-exclude-owners",
        dockerfile="""FROM registry.test/base
COPY --exclude=*_test.c --chown=me:more --chmod=750 src/lib /lib/
RUN find /lib -exec stat -c '%a %u %g %n' {} + | sort -k 4 > /seen
""",
        files=sources(),
        refused=reasons.EXCLUDE,
    ),
    Case(
        name="copy-parents",
        dockerfile="""FROM registry.test/base
COPY --parents src/lib/util.c docs/index.md /a/
COPY --parents src/*/util.? /b/
COPY --parents ./src/./lib/test /c/
COPY --parents **/*.md /d/
COPY --parents --exclude=**/*.o src /e/
COPY --parents --chown=3:4 docs/api /f/
""",
        files=sources(),
        refused=reasons.PARENTS,
    ),
    Case(
        name="copy-parents-stage",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir -p /out/x86/bin /out/arm/bin && echo x > /out/x86/bin/app && echo a > /out/arm/bin/app && echo n > /out/notes
FROM registry.test/base
COPY --from=build --parents /out/./*/bin/app /dist/
COPY --from=build --parents /out/notes /
""",
        refused=reasons.PARENTS,
    ),
    Case(
        name="copy-from-stage",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir -p /out/sub && echo 1 > /out/one && echo 2 > /out/sub/two && ln -s one /out/link && ln /out/one /out/hard \
    && chown -R 7:8 /out/sub && chmod 2711 /out/sub && mkfifo /out/pipe
FROM registry.test/base
COPY --from=build /out /out
COPY --from=build /out/link /followed
COPY --from=build /out/* /glob/
COPY --from=build --chown=me /out/sub /mine
COPY --from=build /out/one /out/sub/two /pair/
COPY --from=0 /etc/passwd /etc/group /etc-copy/
""",
    ),
    Case(
        name="copy-whole-stage",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir -p /rootfs/app && echo 1 > /rootfs/app/file && rm /etc/group && ln -s /rootfs /var/link
FROM scratch
COPY --from=build / /
""",
    ),
    Case(
        name="copy-from-image",
        dockerfile="""FROM scratch AS files
COPY a.txt /
COPY --from=registry.test/tools /opt/tools /tools/
FROM registry.test/base
COPY --from=registry.test/tools /opt/tools/one /opt/tools/set /
COPY --from=registry.test/tools /opt/t* /all/
COPY --from=files / /files
RUN cat /one /files/a.txt /files/tools/one
""",
        files={"a.txt": File("copy-from-image\n")},
        changed=("a.txt", "COPY a.txt /"),
    ),
    Case(
        name="copy-marked-files",
        dockerfile="""FROM registry.test/base
COPY --from=registry.test/tools /opt/marked /marked
COPY --from=registry.test/tools --chown=me /opt/marked /mine
COPY --from=registry.test/tools /opt/device /device
""",
    ),
    Case(
        name="copy-empty",
        dockerfile="""FROM registry.test/base
COPY empty /empty
COPY empty/ /also/
COPY empty-file /empty-file
COPY *.nothing empty-file /rest/
""",
        files={"empty": Folder(0o711), "empty-file": File("")},
    ),
    Case(
        name="ignore-exceptions",
        dockerfile="""FROM registry.test/base
COPY . /app
COPY keep/*.txt /some/
RUN find /app /some | sort > /seen
""",
        files={
            ".dockerignore": File(
                "# everything but\n*\n!keep\n!src/deep/*.c\n**/*.log\nkeep/secret*\n!keep/secret-not\n"
            ),
            "keep/a.txt": File("a\n"),
            "keep/b.log": File("b\n"),
            "keep/secret": File("s\n"),
            "keep/secret-not": File("n\n"),
            "src/deep/x.c": File("c\n"),
            "src/deep/x.o": File("o\n"),
            "other": File("o\n"),
        },
        changed=("src/deep/x.c", "COPY . /app"),
    ),
    Case(
        name="ignore-below",
        dockerfile="""FROM registry.test/base
COPY . /app
RUN find /app | sort > /seen
""",
        files={
            ".dockerignore": File("**\n!src/**/*.c\n!**/kept\nsrc/**/not.c\n"),
            "src/deep/x.c": File("c\n"),
            "src/deep/not.c": File("c\n"),
            "src/y.c": File("y\n"),
            "far/away/kept": File("k\n"),
            "far/other": File("o\n"),
        },
        changed=("src/deep/x.c", "COPY . /app"),
    ),
    Case(
        name="ignore-beside-dockerfile",
        dockerfile="FROM registry.test/base\nCOPY . /app/\nCOPY src /src/\n",
        file="build/Release.dockerfile",
        files={
            ".dockerignore": File("everything\n*.txt\n"),
            "build/Release.dockerfile.dockerignore": File(
                "docs\n# only this file counts\n/src/lib/\n!src/lib/util.h\n"
            ),
            **sources(),
        },
    ),
    Case(
        name="ignore-patterns",
        dockerfile="FROM registry.test/base\nCOPY . /app\n",
        files={
            ".dockerignore": File(
                "\ufeff# a comment\n\n  spaced.txt  \n/rooted\ntrailing/\n./dot\na/../b\nq?\n[xy]z\n\\!bang\n"
                "**/deep\n*/one-level\n!trailing/but-this\nDockerfile\n.dockerignore\n"
            ),
            "spaced.txt": File("1"),
            "rooted": File("2"),
            "sub/rooted": File("3"),
            "trailing/x": File("4"),
            "trailing/but-this": File("5"),
            "dot": File("6"),
            "b": File("7"),
            "qq": File("8"),
            "qqq": File("9"),
            "xz": File("a"),
            "zz": File("b"),
            "!bang": File("c"),
            "any/where/deep/file": File("d"),
            "any/one-level": File("e"),
            "any/where/one-level": File("f"),
        },
    ),
)
