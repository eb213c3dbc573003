"""RUN --mount, --network, --security, and what a build's options change about RUN."""

from . import reasons
from .case import Case, File, Folder, Link
from .files import sources

CASES = (
    Case(
        name="mount-bind-context",
        dockerfile="""FROM registry.test/base
RUN --mount=target=/ctx cat /ctx/a.txt > /one && ls /ctx/src > /listed
RUN --mount=type=bind,source=src/lib,target=/lib cat /lib/util.c > /two
RUN --mount=type=bind,src=a.txt,dst=/file cat /file > /three
RUN --mount=type=bind,target=relative ls relative > /four
WORKDIR /work
RUN --mount=type=bind,source=docs,target=docs,readonly ls docs > five
RUN --mount=type=bind,source=docs/to-source,target=/followed cat /followed > six
""",
        files=sources(),
        changed=("src/lib/util.c", "RUN --mount=type=bind,source=src/lib,target=/lib cat /lib/util.c > /two"),
    ),
    Case(
        name="mount-bind-rw",
        dockerfile="""FROM registry.test/base
RUN --mount=type=bind,source=src,target=/src,rw echo changed > /src/main.c && touch /src/new && cp -r /src /copy
RUN --mount=type=bind,target=/src,readwrite=true rm /src/a.txt && ls /src > /left
RUN --mount=type=bind,target=/ctx cat /ctx/a.txt /ctx/src/main.c > /unchanged
""",
        files=sources(),
    ),
    Case(
        name="mount-bind-from",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir /out && echo 1 > /out/one && ln -s one /out/link
FROM registry.test/base
RUN --mount=from=build,source=/out,target=/m cat /m/one > /one
RUN --mount=from=build,source=/out/one,target=/f cat /f > /two
RUN --mount=from=build,target=/m ls /m/out > /three
RUN --mount=from=registry.test/tools,source=/opt/tools,target=/opt/tools cat /opt/tools/one > /four
RUN --mount=from=build,source=out,target=/a --mount=from=build,source=/etc,target=/b ls /a /b > /five
""",
    ),
    Case(
        name="mount-bind-link",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir /out && echo 1 > /out/one && ln -s one /out/link
FROM registry.test/base
RUN --mount=from=build,source=/out/link,target=/m cat /m > /seen
""",
    ),
    Case(
        name="mount-bind-chained",
        dockerfile="""FROM registry.test/base AS a
RUN echo a > /a
FROM registry.test/base AS b
RUN --mount=from=a,target=/m cat /m/a > /b
FROM b AS c
RUN --mount=from=b,target=/m,rw echo more >> /m/b && cat /m/b /b > /c
FROM registry.test/base
RUN --mount=from=c,target=/m cp /m/c /c
COPY --from=c /b /copied
""",
    ),
    Case(
        name="mount-cache",
        dockerfile="""FROM registry.test/base
RUN --mount=type=cache,target=/root/.cache/mount-cache echo 1 > /root/.cache/mount-cache/one && echo done > /one
RUN --mount=type=cache,id=mount-cache-named,target=/c test -d /c && touch /c/x && echo done > /two
RUN --mount=type=cache,id=mount-cache-locked,target=/c,sharing=locked touch /c/x && echo done > /three
RUN --mount=type=cache,id=mount-cache-private,target=/c,sharing=private touch /c/x && echo done > /four
RUN --mount=type=cache,target=/mount-cache/ro,ro ls /mount-cache/ro > /five
RUN --mount=type=cache,target=mount-cache-relative touch mount-cache-relative/x
""",
    ),
    Case(
        name="mount-cache-owner",
        dockerfile="""FROM registry.test/base
RUN --mount=type=cache,id=mount-cache-owner,target=/c1,uid=3,mode=0700 stat -c '%u %g %a' /c1 > /one
RUN --mount=type=cache,id=mount-cache-group,target=/c2,gid=1001,mode=775 stat -c '%u %g %a' /c2 > /two
USER me
RUN --mount=type=cache,id=mount-cache-me,target=/tmp/c,uid=1000 touch /tmp/c/x && stat -c '%u %g %a' /tmp/c > /tmp/three
""",
    ),
    Case(
        name="mount-cache-from",
        dockerfile="""FROM registry.test/base AS seed
RUN mkdir /seed && echo seeded > /seed/file
FROM registry.test/base
RUN --mount=type=cache,id=mount-cache-from,target=/c,from=seed,source=/seed cat /c/file > /one
""",
    ),
    Case(
        name="mount-tmpfs",
        dockerfile="""FROM registry.test/base
RUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x && cat /scratch/x > /one
RUN --mount=type=tmpfs,target=/tmp touch /tmp/gone && ls /tmp > /three
""",
    ),
    Case(
        name="mount-tmpfs-size",
        dockerfile="""FROM registry.test/base
RUN --mount=type=tmpfs,target=/small,size=1m dd if=/dev/zero of=/small/x bs=64k 2>/dev/null; stat -c %s /small/* > /a
RUN --mount=type=tmpfs,target=/bytes,size=65536 dd if=/dev/zero of=/bytes/x bs=4k 2>/dev/null; stat -c %s /bytes/* > /b
""",
        refused=reasons.TMPFS_SIZE,
    ),
    Case(
        name="mount-secret",
        dockerfile="""FROM registry.test/base
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /one
RUN --mount=type=secret,id=token,target=/etc/token,required wc -c < /etc/token > /two
RUN --mount=type=secret,id=token,dst=token.txt,mode=0440,uid=1000,gid=1001 stat -c '%a %u %g' /token.txt > /three
RUN --mount=type=secret,id=absent ls /run/secrets 2>/dev/null > /four || echo none > /four
RUN --mount=type=secret,target=/run/secrets/token test -s /run/secrets/token && echo found > /five
""",
        secrets={"token": "very secret\n"},
    ),
    Case(
        name="mount-secret-env",
        dockerfile="""FROM registry.test/base
RUN --mount=type=secret,id=token,env=TOKEN test -n "$TOKEN" && echo ${#TOKEN} > /one
RUN --mount=type=secret,id=token,env=TOKEN,target=/t test -s /t && test -n "$TOKEN" && echo both > /two
RUN --mount=type=secret,id=absent,env=ABSENT echo "${ABSENT-unset}" > /three
""",
        secrets={"token": "very secret"},
        refused=reasons.SECRET_ENV,
    ),
    Case(
        name="mount-ssh",
        dockerfile="""FROM registry.test/base
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /one
RUN --mount=type=ssh,id=default,target=/agent,mode=0666 test -S /agent && stat -c %a /agent > /two
RUN --mount=type=ssh,required=true,uid=1000,gid=1001 stat -c '%u %g' "$SSH_AUTH_SOCK" > /three
RUN --mount=type=ssh,id=absent test -n "${SSH_AUTH_SOCK-}" && echo set > /four
""",
        ssh=True,
    ),
    Case(
        name="mount-many",
        dockerfile="""FROM registry.test/base AS other
RUN echo o > /o
FROM registry.test/base
WORKDIR /w
RUN --mount=type=cache,target=/z-mount-many --mount=type=bind,target=a --mount=type=tmpfs,target=/b \\
    --mount=type=secret,id=token --mount=from=other,target=/o,source=/o \\
    cat a/a.txt /o > /seen && ls -d /z-mount-many /b /run/secrets/token >> /seen
""",
        files=sources(),
        secrets={"token": "very secret\n"},
    ),
    Case(
        name="mount-overlapping",
        dockerfile="""FROM registry.test/base
RUN --mount=target=/same --mount=target=/same-again,source=src diff /same/src/main.c /same-again/main.c && echo 1 > /one
""",
        files=sources(),
    ),
    Case(
        name="mount-stubs",
        dockerfile="""FROM registry.test/base
RUN --mount=target=/made/by/mount ls /made/by/mount > /dev/null
RUN --mount=type=tmpfs,target=/also/made true
RUN --mount=target=/kept/here mkdir -p /kept && echo x > /kept/file
RUN --mount=type=secret,id=token,target=/var/lib/token true
RUN ls -a / /run 2>/dev/null > /seen; ls -a /made /also /kept /var/lib >> /seen 2>/dev/null; true
""",
        files={"a.txt": File("a\n")},
        secrets={"token": "very secret\n"},
    ),
    Case(
        name="mount-variables",
        dockerfile="""FROM registry.test/base
ARG WHERE=/from-arg
ARG WHAT=src
RUN --mount=source=${WHAT}/lib,target=$WHERE ls $WHERE > /one
ENV ID=mount-variables
RUN --mount=type=cache,id=$ID,target=${WHERE}-cache touch ${WHERE}-cache/x && echo done > /two
""",
        files=sources(),
        refused=reasons.MOUNT_VARIABLES,
    ),
    Case(
        name="mount-onto-link",
        dockerfile="""FROM registry.test/base
RUN mkdir /real && ln -s /real /to-real
RUN --mount=target=/to-real ls /real > /one
RUN --mount=source=to-folder,target=/m ls /m > /two
""",
        files={"folder": Folder(), "folder/x": File("x\n"), "to-folder": Link("folder")},
    ),
    Case(
        name="run-network",
        dockerfile="""FROM registry.test/base
RUN --network=none ls /sys/class/net | grep -v -e tunl -e sit -e gre -e ip -e erspan > /one
RUN --network=default echo default > /two
RUN --network=none cat /etc/hosts /etc/resolv.conf > /dev/null && echo read > /three
""",
        refused=reasons.NETWORK,
    ),
    Case(
        name="run-security",
        dockerfile="""FROM registry.test/base
RUN --security=sandbox echo sandbox > /one
RUN --security=insecure grep -q 'CapEff:.*ffffff' /proc/self/status && echo insecure > /two
""",
        allow=("security.insecure",),
        refused=reasons.SECURITY,
    ),
    Case(
        name="run-hosts",
        dockerfile="""FROM registry.test/base
RUN grep -e one.example -e two.example /etc/hosts | tr '\\t' ' ' | sort > /seen
""",
        add_hosts={"one.example": "192.0.2.10", "two.example": "192.0.2.20"},
    ),
    Case(
        name="run-limits",
        dockerfile="""FROM registry.test/base
RUN ulimit -n > /files && grep -c shm /proc/mounts > /seen
""",
        ulimits=("nofile=100:200",),
        shm_size=1 << 20,
    ),
    Case(
        name="run-network-option",
        dockerfile="FROM registry.test/base\nRUN ls /sys/class/net | grep -c . > /dev/null && echo yes > /seen\n",
        network="none",
    ),
    Case(
        name="run-writes",
        dockerfile="""FROM registry.test/base
RUN mkdir -p /d/e && echo 1 > /d/one && ln /d/one /d/hard && ln -s one /d/soft && mkfifo /d/pipe && mknod /d/null c 1 3
RUN rm /d/one && rm -r /d/e && mkdir /d/e && touch /d/e/new
RUN chmod 1750 /d && chown 5:6 /d/hard && touch -d '2001-02-03 04:05:06' /d/soft-not
RUN mv /d /moved && ln -s moved /d
RUN rm -rf /moved && mkdir /moved && echo again > /moved/one
RUN cp -a /bin/busybox /busybox && chmod 4755 /busybox
RUN rm /etc/group && mkdir /etc/group && echo x > /etc/group/file
""",
    ),
    Case(
        name="run-nothing",
        dockerfile="""FROM registry.test/base
RUN true
RUN ["true"]
RUN touch /x && rm /x
RUN cat /etc/passwd > /dev/null
RUN echo end > /end
RUN true
""",
    ),
    Case(
        name="run-surroundings",
        dockerfile="""FROM registry.test/base
RUN env | sort > /env && pwd > /cwd && id > /id && umask > /umask
RUN stat -c '%F %a %n' /proc /sys /dev /dev/null /dev/pts /dev/shm /dev/mqueue /etc/hosts /etc/resolv.conf > /places
RUN grep -e Cap -e NoNewPrivs -e Seccomp: /proc/self/status > /rights
RUN ls -d /dev/* > /devices && ls /proc/1/exe > /dev/null
RUN ulimit -c > /core; tty > /tty; cat > /stdin; true
USER me
RUN env | sort > /tmp/env-me; id > /tmp/id-me; echo $HOME > /tmp/home; grep Cap /proc/self/status > /tmp/rights
""",
    ),
    Case(
        name="run-bare",
        dockerfile="""FROM registry.test/bare
RUN ls -d /dev /proc /sys /run /var 2>/dev/null > /seen; true
RUN --mount=type=secret,id=absent ls -a / > /after
RUN touch /dev/file-in-dev /proc/none 2>/dev/null; mkdir -p /run/here; ls /run > /inside
""",
    ),
    Case(
        name="run-etc-files",
        dockerfile="""FROM registry.test/base
RUN cat /etc/hosts > /dev/null
RUN echo '192.0.2.1 mine' >> /etc/hosts; echo 'nameserver 192.0.2.2' > /etc/resolv.conf; true
RUN ls /etc > /seen; grep -c mine /etc/hosts >> /seen; true
""",
    ),
)
