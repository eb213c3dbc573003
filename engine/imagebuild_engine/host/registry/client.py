"""The registry client: one method for each thing that a build wants from a registry."""

import asyncio
import copy
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import new as new_hash
from pathlib import Path
from types import TracebackType
from typing import Self

from ...core.oci import (
    Descriptor,
    Digest,
    InvalidDigest,
    InvalidManifest,
    Manifest,
    MediaType,
    Reference,
    parse_manifest,
)
from ...core.oci.manifest import MAX_BYTES as MANIFEST_BYTES
from .credentials import CredentialStore
from .download import download
from .errors import DeletionRefused, InvalidResponse, NotFound, RegistryError
from .referrers import Referrers
from .retry import RetryPolicy
from .tags import list_tags
from .transport import Answer, Request, Timeouts, Transfer, Transport
from .upload import PushOutcome, Upload

_ACCEPT = ", ".join(
    (MediaType.OCI_INDEX, MediaType.OCI_MANIFEST, MediaType.DOCKER_LIST, MediaType.DOCKER_MANIFEST, "*/*;q=0.1")
)
_HEAD_TELLS_NOTHING = frozenset({400, 405, 406, 501})
_DELETES_NOTHING = frozenset({405, 501})


class RegistryClient:
    """Any number of registries over one pool of connections. Use it as an async context manager.

        async with RegistryClient(DockerCredentials()) as client:
            descriptor = await client.resolve(Reference.parse("debian:12"))

    Loopback registries speak plain HTTP; those in `insecure` (`host[:port]`) TLS with any certificate, else plain HTTP.
    Every method raises RegistryError or one of its kinds; temporary ones have been retried before.
    """

    def __init__(
        self,
        credentials: CredentialStore | None = None,
        *,
        insecure: Collection[str] = (),
        retries: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._tags_at_home = False
        self._transport = Transport(
            credentials,
            insecure=insecure,
            retries=retries,
            timeouts=timeouts,
            clock=clock,
            sleep=sleep,
            jitter=jitter,
        )
        self._tagged: dict[str, bool] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.close()

    def __repr__(self) -> str:
        transfer = self.transfer
        return f"<RegistryClient {transfer.requests} requests, {transfer.bytes_pulled} in, {transfer.bytes_pushed} out>"

    @property
    def transfer(self) -> Transfer:
        """What went over the wire until now."""
        return self._transport.transfer

    def now(self) -> float:
        """The clock of deadlines, in seconds."""
        return self._transport.now()

    def until(self, deadline: float, *, tags_at_home: bool = False) -> Self:
        """The same client, to be closed by whoever opened it, for what is worth nothing after that moment of its clock.

        No pause before another try goes beyond it; a request that is under way is not ended. With `tags_at_home` only
        the registry itself says what a tag stands for: a redirect to another host is an InvalidResponse.
        """
        bounded = copy.copy(self)
        bounded._transport = self._transport.until(deadline)
        bounded._tags_at_home = tags_at_home
        return bounded

    async def resolve(self, ref: Reference) -> Descriptor:
        """What the reference points to now. The digest is the registry's word until the manifest itself was read."""
        try:
            answer = await self._transport.call(_manifest_request("HEAD", ref))
        except RegistryError as error:
            if error.status not in _HEAD_TELLS_NOTHING:
                raise
        else:
            if descriptor := _described(ref, answer):
                return descriptor
        return (await self.manifest(ref))[0]

    async def manifest(self, ref: Reference, *, limit: int = MANIFEST_BYTES) -> tuple[Descriptor, bytes]:
        """A manifest or index with its bytes, of the digest that the reference or the registry named."""
        request = _manifest_request("GET", ref, at_home=self._tags_at_home and ref.digest is None)
        answer = await self._transport.call(request, limit=limit)
        data = answer.body
        told = _told_digest(answer)
        for expected in (ref.digest, told):
            if expected and _digest_like(expected, data) != expected:
                raise InvalidResponse(ref.registry, f"manifest {ref} has digest {Digest.of(data)}, not {expected}")
        try:
            media_type = parse_manifest(data, answer.headers.get("content-type", "")).media_type
        except InvalidManifest as error:
            raise InvalidResponse(ref.registry, f"manifest {ref}: {error}") from error
        digest = ref.digest or told or Digest.of(data)
        return Descriptor(media_type=media_type, digest=digest, size=len(data)), data

    async def blob(self, ref: Reference, descriptor: Descriptor, limit: int) -> bytes:
        """A small blob in whole, verified. One that says it is larger than the limit is not even asked for."""
        if descriptor.size > limit:
            raise InvalidResponse(
                ref.registry, f"blob {descriptor.digest} of {descriptor.size} bytes is larger than {limit}"
            )
        async with aclosing(self.open_blob(ref, descriptor)) as pieces:
            return b"".join([piece async for piece in pieces])

    def open_blob(self, ref: Reference, descriptor: Descriptor) -> AsyncGenerator[bytes, None]:
        """The blob's bytes in pieces as they come. Close it (`contextlib.aclosing`) if you do not read to the end.

        The last piece is given only if digest and size are right. A broken connection is resumed.
        """
        request = Request(
            registry=ref.registry,
            method="GET",
            target=f"/v2/{ref.repository}/blobs/{descriptor.digest}",
            scopes=_pull(ref),
        )
        return download(self._transport, request, descriptor)

    async def has_blob(self, ref: Reference, digest: Digest) -> bool:
        """Does the repository have the blob?"""
        target = f"/v2/{ref.repository}/blobs/{digest}"
        try:
            await self._transport.call(Request(registry=ref.registry, method="HEAD", target=target, scopes=_pull(ref)))
        except NotFound:
            return False
        return True

    async def push_blob(
        self, ref: Reference, descriptor: Descriptor, source: Path | bytes, *, mount_from: Sequence[str] = ()
    ) -> PushOutcome:
        """Sees to it that the repository has the blob.

        `mount_from` are repositories of the same registry that may have it. Raises ValueError for a source of another
        size; a source of another digest is refused by the registry.
        """
        return await Upload(self._transport, ref, descriptor, source).push(mount_from)

    async def find_blob(
        self, ref: Reference, descriptor: Descriptor, *, mount_from: Sequence[str] = ()
    ) -> PushOutcome | None:
        """As `push_blob`, but without bytes to send: None if the repository neither has nor could mount it."""
        return await Upload(self._transport, ref, descriptor, b"").find(mount_from)

    async def push_manifest(self, ref: Reference, data: bytes, media_type: str) -> Descriptor:
        """Stores a manifest under the reference's digest, else its tag. Its blobs must be there."""
        return (await self._push_manifest(ref, data, media_type))[0]

    def tags(self, ref: Reference) -> AsyncGenerator[str, None]:
        """All tags of the repository, in the registry's order. Close it if you do not read to the end."""
        return list_tags(self._transport, ref)

    async def delete_manifest(self, ref: Reference) -> None:
        """Deletes the manifest of the reference's digest, and with it all tags that it has. Raises NotFound if it is
        gone already, DeletionRefused if the registry deletes nothing.
        """
        assert ref.digest is not None
        request = Request(
            registry=ref.registry,
            method="DELETE",
            target=f"/v2/{ref.repository}/manifests/{ref.digest}",
            scopes=(f"repository:{ref.repository}:delete,pull",),
            ok=frozenset({200, 202, 204}),
        )
        try:
            await self._transport.call(request)
        except RegistryError as error:
            if error.status in _DELETES_NOTHING or error.code == "UNSUPPORTED":
                raise DeletionRefused(ref.registry, error.message, status=error.status, code=error.code) from error
            raise

    async def referrers(self, subject: Reference, artifact_type: str) -> tuple[Descriptor, ...]:
        """The manifests of that type which name the manifest (by digest) as their subject, as the registry lists them.

        They have not been looked at: whether one really does is for its reader to see.
        """
        return await self._referrers(subject).all(artifact_type)

    async def push_referrer(
        self, subject: Reference, manifest: Manifest, *, replaces: Collection[Digest] = ()
    ) -> Descriptor:
        """Stores a manifest that has the subject (by digest), and lists it where the registry does not do so itself.

        What it replaces is taken off such a list of ours.
        """
        assert manifest.subject is not None
        described = replace(
            manifest.descriptor(), artifact_type=manifest.artifact_type, annotations=manifest.annotations
        )
        _, answer = await self._push_manifest(
            subject.with_digest(described.digest), manifest.encode(), manifest.media_type
        )
        self._tagged[subject.name] = answer.headers.get("oci-subject") != manifest.subject.digest
        if self._tagged[subject.name]:
            await self._referrers(subject).add(described, replaces)
        return described

    def _referrers(self, subject: Reference) -> Referrers:
        return Referrers(self._transport, self, subject, self._tagged, at_home=self._tags_at_home)

    async def _push_manifest(self, ref: Reference, data: bytes, media_type: str) -> tuple[Descriptor, Answer]:
        digest = ref.digest or Digest.of(data)
        if _digest_like(digest, data) != digest:
            raise ValueError(f"manifest for {ref} has digest {Digest.of(data)}")
        answer = await self._transport.call(
            Request(
                registry=ref.registry,
                method="PUT",
                target=f"/v2/{ref.repository}/manifests/{ref.selector}",
                scopes=(f"repository:{ref.repository}:pull,push",),
                ok=frozenset({200, 201}),
                headers={"content-type": media_type},
                body=data,
            )
        )
        told = _told_digest(answer)
        if told and told.algorithm == digest.algorithm and told != digest:
            raise InvalidResponse(ref.registry, f"manifest {ref} was stored as {told}, not {digest}")
        return Descriptor(media_type=media_type, digest=digest, size=len(data)), answer


def _pull(ref: Reference) -> tuple[str, ...]:
    return (f"repository:{ref.repository}:pull",)


def _manifest_request(method: str, ref: Reference, *, at_home: bool = False) -> Request:
    return Request(
        registry=ref.registry,
        method=method,
        target=f"/v2/{ref.repository}/manifests/{ref.selector}",
        scopes=_pull(ref),
        headers={"accept": _ACCEPT},
        at_home=at_home,
    )


def _described(ref: Reference, answer: Answer) -> Descriptor | None:
    """What the headers alone tell, or None if they do not tell everything."""
    digest = _told_digest(answer)
    length = answer.headers.get("content-length", "")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    known = MediaType.is_manifest(media_type) or MediaType.is_index(media_type)
    if not digest or not length.isdecimal() or not known:
        return None
    if ref.digest and digest != ref.digest:
        raise InvalidResponse(ref.registry, f"manifest {ref} is delivered as {digest}")
    if int(length) > MANIFEST_BYTES:
        raise InvalidResponse(ref.registry, f"manifest {ref} of {length} bytes is larger than {MANIFEST_BYTES}")
    return Descriptor(media_type=media_type, digest=digest, size=int(length))


def _told_digest(answer: Answer) -> Digest | None:
    try:
        return Digest.parse(answer.headers.get("docker-content-digest"))
    except InvalidDigest:
        return None


def _digest_like(wanted: Digest, data: bytes) -> Digest:
    """The data's digest by the same algorithm."""
    return Digest(f"{wanted.algorithm}:{new_hash(wanted.algorithm, data).hexdigest()}")
