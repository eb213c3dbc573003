"""What refers to a manifest (distribution spec, "Listing Referrers"), also on registries that keep no such list.

Those have a tag named after the subject, `sha256-<hex>`, under which clients themselves keep an index of its referrers
("Referrers Tag Schema"). Nothing there is atomic: of two who write at once, one may undo the other's work. So whoever
has written reads again, and writes again if it has to.
"""

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from ...core.oci import Descriptor, Digest, Index, InvalidDescriptor, MediaType, Reference, parse_manifest
from ...core.oci.manifest import MAX_BYTES as MANIFEST_BYTES
from .errors import InvalidResponse, NotFound, RegistryError
from .paging import next_page
from .transport import Answer, Request, Transport

MAX_PAGES = 10
MAX_REFERRERS = 1000
"""Of one manifest. What a registry lists beyond is not looked at."""
_WRITES = 5
_CHECKS = 8
_NO_SUCH_API = frozenset({400, 404, 405, 406, 501})


class Manifests(Protocol):
    """Manifests of a registry; see RegistryClient."""

    async def resolve(self, ref: Reference) -> Descriptor: ...

    async def manifest(self, ref: Reference) -> tuple[Descriptor, bytes]: ...

    async def push_manifest(self, ref: Reference, data: bytes, media_type: str) -> Descriptor: ...


class Referrers:
    """Of one manifest, `subject` by digest. `tagged` says, by repository, whether the tag is all there is.

    (By repository, for a registry may have the API for some, and not know others yet.) With `at_home`, only the
    registry itself says what refers to the subject, not a host that it redirects to.
    """

    def __init__(
        self,
        transport: Transport,
        manifests: Manifests,
        subject: Reference,
        tagged: dict[str, bool],
        *,
        at_home: bool = False,
    ) -> None:
        assert subject.digest is not None
        self._transport = transport
        self._manifests = manifests
        self._subject = subject
        self._tagged = tagged
        self._at_home = at_home
        self._tag = subject.with_tag(fallback_tag(subject.digest))

    async def all(self, artifact_type: str) -> tuple[Descriptor, ...]:
        """Those of the type, as the registry lists them.

        As long as nobody knows which of both ways the registry goes, both are tried at once: that saves a round trip.
        """
        known = self._tagged.get(self._subject.name)
        if known is None:
            listed, tagged = await asyncio.gather(self._by_api(artifact_type), self._by_tag(), return_exceptions=True)
            if isinstance(listed, BaseException):
                raise listed
            self._tagged[self._subject.name] = listed is None
            if listed is None and isinstance(tagged, BaseException):
                raise tagged
            found = listed if listed is not None else tagged
            assert not isinstance(found, BaseException)
        else:
            found = await self._by_tag() if known else await self._by_api(artifact_type) or ()
        return tuple(entry for entry in found if entry.artifact_type == artifact_type)

    async def add(self, entry: Descriptor, replaces: Collection[Digest]) -> None:
        """Lists a manifest that was pushed, under the tag. `replaces` and what is gone are listed no more."""
        gone = set(replaces) - {entry.digest}
        checked: set[Digest] = {entry.digest}
        for _ in range(_WRITES):
            listed = await self._by_tag()
            gone |= await self._gone(item for item in listed if item.digest not in checked | gone)
            checked |= {item.digest for item in listed}
            kept = [item for item in listed if item.digest not in gone]
            if len(kept) == len(listed) and any(item.digest == entry.digest for item in kept):
                return
            index = Index(manifests=(*(item for item in kept if item.digest != entry.digest), entry))
            if len(index.manifests) > MAX_REFERRERS:
                raise RegistryError(self._subject.registry, f"{self._tag} lists {MAX_REFERRERS} referrers already")
            await self._manifests.push_manifest(self._tag, index.encode(), index.media_type)
        raise RegistryError(self._subject.registry, f"{self._tag} is written by too many at once")

    async def _gone(self, entries: Iterable[Descriptor]) -> set[Digest]:
        slots = asyncio.Semaphore(_CHECKS)

        async def is_gone(entry: Descriptor) -> bool:
            async with slots:
                try:
                    await self._manifests.resolve(self._subject.with_digest(entry.digest))
                except NotFound:
                    return True
                return False

        known = list(entries)
        found = await asyncio.gather(*map(is_gone, known))
        return {entry.digest for entry, gone in zip(known, found, strict=True) if gone}

    async def _by_api(self, artifact_type: str) -> Sequence[Descriptor] | None:
        """None if the registry has no such list."""
        root = f"/v2/{self._subject.repository}/referrers/{self._subject.digest}"
        target: str | None = f"{root}?artifactType={quote(artifact_type, safe='')}"
        found: list[Descriptor] = []
        for page in range(MAX_PAGES):
            if target is None or len(found) >= MAX_REFERRERS:
                break
            try:
                answer = await self._transport.call(self._request(target), limit=MANIFEST_BYTES)
            except RegistryError as error:
                if not page and error.status in _NO_SUCH_API:
                    return None
                raise
            entries = _entries(answer)
            if entries is None:
                if not page:
                    return None
                raise InvalidResponse(self._subject.registry, f"page {page + 1} of the referrers is no index")
            found += entries
            target = next_page(answer, target, root)
        return found[:MAX_REFERRERS]

    async def _by_tag(self) -> Sequence[Descriptor]:
        try:
            described, data = await self._manifests.manifest(self._tag)
        except NotFound:
            return ()
        index = parse_manifest(data, described.media_type)
        if not isinstance(index, Index):
            raise InvalidResponse(self._subject.registry, f"{self._tag} is no index of referrers")
        return index.manifests[:MAX_REFERRERS]

    def _request(self, target: str) -> Request:
        return Request(
            registry=self._subject.registry,
            method="GET",
            target=target,
            scopes=(f"repository:{self._subject.repository}:pull",),
            headers={"accept": MediaType.OCI_INDEX},
            at_home=self._at_home,
        )


def fallback_tag(subject: Digest) -> str:
    """`sha256-<hex>`; longer digests are cut as the spec says."""
    return f"{subject.algorithm[:32]}-{subject.hex[:64]}"


def _entries(answer: Answer) -> list[Descriptor] | None:
    """What an index lists, without what is no descriptor; None if it is none. Some registries say null for nothing."""
    told = answer.headers.get("content-type", "").partition(";")[0].strip()
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or MediaType.OCI_INDEX not in (value.get("mediaType"), told):
        return None
    listed = value.get("manifests") or []
    if not isinstance(listed, list):
        return None
    found = []
    for item in listed[:MAX_REFERRERS]:
        try:
            found.append(Descriptor.from_json(item))
        except InvalidDescriptor:
            continue
    return found
