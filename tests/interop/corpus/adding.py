"""ADD: archives, URLs, Git repositories."""

from hashlib import sha256

from . import reasons
from .case import Case, File
from .files import archive

_SUMMED = "known before it is there\n"
_SUM = sha256(_SUMMED.encode()).hexdigest()
_REPOSITORY = {
    "README.md": "# a repository\n",
    "src/main.c": "int main;\n",
    "src/lib/x.h": "x\n",
    ".gitignore": "*.o\n",
}

CASES = (
    Case(
        name="add-files",
        dockerfile="""FROM registry.test/base
ADD archive.tgz /unpacked/
ADD a.txt /plain/
ADD --chown=me:more tree /tree
ADD *.txt archive.tgz /many/
ADD ["a.txt", "/json form/"]
RUN cat /unpacked/packed/one /many/packed/two
""",
        files={
            "archive.tgz": File(archive()),
            "a.txt": File("a\n"),
            "b.txt": File("b\n"),
            "tree/x": File("x\n"),
        },
        changed=("tree/x", "ADD --chown=me:more tree /tree"),
    ),
    Case(
        name="add-archives",
        dockerfile="""FROM registry.test/base
ADD plain.tar /plain/
ADD packed.tar.gz /gz/
ADD packed.tar.bz2 /bz2/
ADD packed.tar.xz /xz/
ADD not-an-archive.tar /no/
ADD packed.tar.gz plain.tar /both/
ADD --chown=me:more packed.tar.gz /owned/
ADD packed.tar.gz /named-like-a-file
""",
        files={
            "plain.tar": File(archive("", "plain")),
            "packed.tar.gz": File(archive("gz")),
            "packed.tar.bz2": File(archive("bz2", "bzipped")),
            "packed.tar.xz": File(archive("xz", "xzipped")),
            "not-an-archive.tar": File("only the name\n"),
        },
    ),
    Case(
        name="add-archive-over",
        dockerfile="""FROM registry.test/base
RUN mkdir -p /there/packed && echo old > /there/packed/one && echo kept > /there/packed/kept && chmod 700 /there/packed
ADD packed.tar.gz /there/
RUN stat -c '%a %u %g %n' /there /there/packed /there/packed/* > /seen
""",
        files={"packed.tar.gz": File(archive())},
    ),
    Case(
        name="add-unpack",
        dockerfile="""FROM registry.test/base
ADD --unpack=false packed.tar.gz /kept/
ADD --unpack=true packed.tar.gz /unpacked/
ADD --unpack=true http://files.test/remote.tar /remote/
ADD http://files.test/remote.tar /remote-kept/
""",
        files={"packed.tar.gz": File(archive())},
        served={"remote.tar": archive("", "remote")},
        refused=reasons.UNPACK,
    ),
    Case(
        name="add-url",
        dockerfile="""FROM registry.test/base
ADD http://files.test/page.txt /w/
ADD http://files.test/page.txt /renamed.txt
ADD http://files.test/ /index/
RUN cat /w/page.txt /renamed.txt && stat -c '%a %u %g %n' /w/* /renamed.txt > /seen
""",
        served={"page.txt": "from a server\n", "": "the index\n"},
    ),
    Case(
        name="add-url-owner",
        dockerfile="""FROM registry.test/base
ADD --chown=me:more --chmod=640 http://files.test/page.txt /w/
ADD --chmod=755 http://files.test/tool /usr/bin/
RUN sh /usr/bin/tool > /said
""",
        served={"page.txt": "from a server, owned\n", "tool": "#!/bin/sh\necho a tool\n"},
    ),
    Case(
        name="add-url-checksum",
        dockerfile=f"""FROM registry.test/base
ARG SUM={_SUM}
ADD --checksum=sha256:{_SUM} http://files.test/page.txt /w/
ADD --checksum=sha256:${{SUM}} http://files.test/page.txt /v/
""",
        served={"page.txt": _SUMMED},
        refused=reasons.CHECKSUM,
    ),
    Case(
        name="add-url-link",
        dockerfile="""FROM registry.test/base
ADD --link --chown=5:6 http://files.test/linked.txt /w/
ADD --link http://files.test/linked.txt /v/linked
""",
        served={"linked.txt": "linked from a server\n"},
        refused=reasons.LINK,
    ),
    Case(
        name="add-git",
        dockerfile="""FROM registry.test/base
ADD git://git.test/repo.git#main /src
ADD git://git.test/repo.git#main:src/lib /lib/
RUN find /src /lib | sort > /seen
""",
        repository=_REPOSITORY,
        refused=reasons.GIT,
    ),
    Case(
        name="add-git-options",
        dockerfile="""FROM registry.test/base
ADD --chown=me:more --exclude=*.md git://git.test/repo.git#main /src
ADD --link git://git.test/repo.git#main /linked
""",
        repository=_REPOSITORY,
        refused=reasons.GIT,
    ),
    Case(
        name="add-git-dir",
        dockerfile="""FROM registry.test/base
ADD --keep-git-dir=true git://git.test/repo.git#main /src
RUN cat /src/.git/HEAD > /head && rm -rf /src/.git
""",
        repository=_REPOSITORY,
        refused=reasons.GIT,
    ),
)
