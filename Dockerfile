# One image for the operator and for the builder pods. `make image` lays out the context (build/image) and builds it with our own engine.
#
# BASE needs Python 3.11, git, CA certificates and libseccomp2.
ARG BASE=debian-python:12

FROM ${BASE} AS install
COPY wheels/ /wheels/
# pip runs from its own wheel, so the base needs none; everything it installs lies in the wheels directory.
RUN ["/usr/bin/python3", "/wheels/pip.whl/pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", \
     "--no-index", "--find-links=/wheels", "--no-compile", "--target=/opt/imagebuild", "imagebuild[engine,operator]"]
# Compiled ahead of time: a container's root may be read-only. Hashed files do not depend on the clock.
RUN ["/usr/bin/python3", "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash", "/opt/imagebuild"]

FROM ${BASE}
LABEL org.opencontainers.image.title="imagebuild" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --chmod=0755 bin/runc /usr/local/bin/runc
COPY --from=install /opt/imagebuild /opt/imagebuild
ENV PATH=/opt/imagebuild/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/imagebuild \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["imagebuild"]
