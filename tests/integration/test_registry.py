"""The client against Debian's docker-registry: the whole story of an image, with and without a password."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    Manifest,
    MediaType,
    Platform,
    Reference,
    RunConfig,
)
from imagebuild_engine.host.registry import (
    DockerCredentials,
    InvalidResponse,
    NotFound,
    RegistryClient,
    RegistryError,
    Unauthorized,
    Unavailable,
    fetch_image,
)
from imagebuild_engine.host.registry import upload as upload_module

from tests.support.registry import RunningRegistry, missing_registry, running_registry

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(missing_registry() is not None, reason=str(missing_registry())),
]

LINUX = Platform("linux", "amd64")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("guarded"), users={"robot": "s3cret"}) as running:
        yield running


def described(data: bytes, media_type: str = MediaType.OCI_LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))


async def push_image(client: RegistryClient, ref: Reference, layer: bytes) -> Manifest:
    config = ImageConfig(platform=LINUX, config=RunConfig(cmd=("/hello",)), diff_ids=(Digest.of(layer),)).encode()
    manifest = Manifest(config=described(config, MediaType.OCI_CONFIG), layers=(described(layer),))
    await client.push_blob(ref, manifest.layers[0], layer)
    await client.push_blob(ref, manifest.config, config)
    await client.push_manifest(ref, manifest.encode(), manifest.media_type)
    return manifest


async def pulled(client: RegistryClient, ref: Reference, descriptor: Descriptor) -> bytes:
    async with aclosing(client.open_blob(ref, descriptor)) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_a_pushed_image_is_pulled_with_the_same_bytes(registry: RunningRegistry) -> None:
    ref = Reference.parse(f"{registry.host}/team/app:1")
    layer = b"layer" * 100_000
    async with RegistryClient() as client:
        manifest = await push_image(client, ref, layer)

        image = await fetch_image(client, ref, LINUX)

        assert image.manifest == manifest
        assert image.config.config.cmd == ("/hello",)
        assert image.reference.digest == image.top_digest == Digest.of(manifest.encode())
        assert (await client.resolve(ref)) == manifest.descriptor()
        assert await pulled(client, ref, manifest.layers[0]) == layer
        assert client.transfer.bytes_pushed >= len(layer)
        assert client.transfer.bytes_pulled >= len(layer)


async def test_an_index_leads_to_the_image_of_the_platform(registry: RunningRegistry) -> None:
    ref = Reference.parse(f"{registry.host}/team/multi:1")
    async with RegistryClient() as client:
        manifest = await push_image(client, ref, b"amd64")
        mine = Descriptor(
            media_type=manifest.media_type,
            digest=manifest.descriptor().digest,
            size=manifest.descriptor().size,
            platform=LINUX,
        )
        index = Index(manifests=(mine,))
        top = await client.push_manifest(ref, index.encode(), index.media_type)

        image = await fetch_image(client, ref, LINUX)

        assert image.top_digest == top.digest
        assert image.manifest_descriptor == mine
        with pytest.raises(NotFound, match="no image for linux/s390x"):
            await fetch_image(client, ref, Platform("linux", "s390x"))


async def test_a_blob_that_is_there_is_not_sent_again(registry: RunningRegistry, tmp_path: Path) -> None:
    ref = Reference.parse(f"{registry.host}/again:1")
    data = b"some blob"
    (tmp_path / "blob").write_bytes(data)
    async with RegistryClient() as client:
        assert await client.push_blob(ref, described(data), tmp_path / "blob") == "uploaded"
        mark = len(registry.requests_after(0))
        assert await client.push_blob(ref, described(data), tmp_path / "blob") == "existed"

        methods = {access.method for access in registry.requests()[mark:] if "/again/" in access.path}
        assert methods == {"HEAD"}


async def test_a_neighbours_blob_is_mounted_and_not_sent(registry: RunningRegistry) -> None:
    data = b"shared base layer" * 1000
    async with RegistryClient() as client:
        await client.push_blob(Reference.parse(f"{registry.host}/base:1"), described(data), data)
        before = client.transfer.bytes_pushed
        derived = Reference.parse(f"{registry.host}/derived:1")

        outcome = await client.push_blob(derived, described(data), data, mount_from=["nobody", "base"])

        assert outcome == "mounted"
        assert client.transfer.bytes_pushed == before
        assert await client.has_blob(derived, Digest.of(data))


async def test_a_blob_in_chunks_is_the_same_blob(registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-registry takes whole blobs, so the first PUT is turned away here, before it gets there."""
    monkeypatch.setattr(upload_module, "CHUNK", 1000)
    ref = Reference.parse(f"{registry.host}/chunked:1")
    data = bytes(range(256)) * 20
    async with RegistryClient() as client:
        upload = upload_module.Upload(client._transport, ref, described(data), data)
        commit, refusals = upload._commit, iter([True])

        async def refuse_whole(session: str, file: object) -> None:
            if next(refusals, False):
                raise RegistryError(ref.registry, "too large", status=413)
            await commit(session, file)  # type: ignore[arg-type]  # passed through as it came

        monkeypatch.setattr(upload, "_commit", refuse_whole)
        assert await upload.push(()) == "uploaded"
        assert await pulled(client, ref, described(data)) == data
    patches = [access for access in registry.requests_after(0) if access.method == "PATCH"]
    assert len(patches) == 6


@asynccontextmanager
async def breaking_line(host: str, *, after: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A line to the host that breaks once, after so many bytes on one connection. Gives its address and the breaks."""
    name, _, port = host.partition(":")
    breaks: list[int] = []
    served: set[asyncio.Task[None] | None] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, breaking: bool) -> None:
        sent = 0
        while data := await reader.read(1 << 16):
            sent += len(data)
            writer.write(data)
            await writer.drain()
            if breaking and not breaks and sent >= after:
                breaks.append(sent)
                return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection(name, int(port))
        ways = [
            asyncio.ensure_future(copy(reader, up_writer, breaking=True)),
            asyncio.ensure_future(copy(up_reader, writer, breaking=False)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (up_writer, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", breaks
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in served if task))


async def test_an_upload_survives_a_broken_line(registry: RunningRegistry, tmp_path: Path) -> None:
    data = bytes(range(256)) * (40 << 10)
    (tmp_path / "blob").write_bytes(data)
    async with breaking_line(registry.host, after=3 << 20) as (host, breaks), RegistryClient() as client:
        ref = Reference.parse(f"{host}/survivor:1")
        assert await client.push_blob(ref, described(data), tmp_path / "blob") == "uploaded"
        assert breaks
        assert await pulled(client, ref, described(data)) == data


async def test_a_missing_image_is_not_found(registry: RunningRegistry) -> None:
    async with RegistryClient() as client:
        with pytest.raises(NotFound) as caught:
            await client.manifest(Reference.parse(f"{registry.host}/nothing:here"))
        assert caught.value.code in ("MANIFEST_UNKNOWN", "NAME_UNKNOWN")
        assert not caught.value.temporary
        with pytest.raises(NotFound):
            await client.resolve(Reference.parse(f"{registry.host}/nothing:here"))


async def test_a_source_with_another_digest_is_refused(registry: RunningRegistry) -> None:
    ref = Reference.parse(f"{registry.host}/wrong:1")
    async with RegistryClient() as client:
        with pytest.raises(RegistryError) as caught:
            await client.push_blob(ref, described(b"right"), b"wrong")
        assert caught.value.code == "DIGEST_INVALID"


async def test_a_manifest_whose_blobs_are_missing_is_refused(registry: RunningRegistry) -> None:
    ref = Reference.parse(f"{registry.host}/hollow:1")
    manifest = Manifest(config=described(b"{}", MediaType.OCI_CONFIG), layers=(described(b"absent"),))
    async with RegistryClient() as client:
        with pytest.raises(RegistryError) as caught:
            await client.push_manifest(ref, manifest.encode(), manifest.media_type)
        assert not caught.value.temporary


async def test_a_blob_of_another_size_than_described_is_invalid(registry: RunningRegistry) -> None:
    ref = Reference.parse(f"{registry.host}/size:1")
    data = b"twelve bytes"
    async with RegistryClient() as client:
        await client.push_blob(ref, described(data), data)
        lie = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(data), size=5)
        with pytest.raises(InvalidResponse):
            await pulled(client, ref, lie)


def credentials(folder: Path, host: str, password: str) -> DockerCredentials:
    folder.mkdir(exist_ok=True)
    config = {"auths": {host: {"username": "robot", "password": password}}}
    (folder / "config.json").write_text(json.dumps(config))
    return DockerCredentials(folder)


async def test_the_password_opens_a_guarded_registry(guarded: RunningRegistry, tmp_path: Path) -> None:
    ref = Reference.parse(f"{guarded.host}/private:1")
    async with RegistryClient(credentials(tmp_path, guarded.host, "s3cret")) as client:
        manifest = await push_image(client, ref, b"private" * 1000)
        assert (await fetch_image(client, ref, LINUX)).manifest == manifest
    # Only the very first request went without the password: the challenge is remembered.
    assert sum(access.status == 401 for access in guarded.requests() if "/private/" in access.path) == 1


@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_or_missing_password_is_unauthorized(
    guarded: RunningRegistry, tmp_path: Path, password: str | None
) -> None:
    store = credentials(tmp_path, guarded.host, password) if password else None
    async with RegistryClient(store) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.push_blob(Reference.parse(f"{guarded.host}/private:2"), described(b"x"), b"x")
        assert not caught.value.temporary
        assert caught.value.status == 401
        assert "wrong" not in str(caught.value)


async def test_an_unknown_certificate_is_accepted_only_from_insecure_registries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback would be spoken to plainly, so it is made to count as another host."""
    monkeypatch.setattr("imagebuild_engine.host.registry.endpoint.is_loopback", lambda _: False)
    with running_registry(tmp_path, tls=True) as registry:
        ref = Reference.parse(f"{registry.host}/sealed:1")
        async with RegistryClient(insecure={registry.host}) as client:
            assert await client.push_blob(ref, described(b"x"), b"x") == "uploaded"
        async with RegistryClient() as client:
            with pytest.raises(Unavailable, match="certificate") as caught:
                await client.has_blob(ref, Digest.of(b"x"))
        assert not caught.value.temporary
