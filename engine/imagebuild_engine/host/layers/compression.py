"""Reading compressed layers, and writing gzip, in chunks."""

import bz2
import lzma
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO, Protocol, cast

from .errors import InvalidLayer, LayerTooLarge
from .limits import Limits

CHUNK = 1 << 18
_OUTPUT = 1 << 20
_MAX_ZSTD_WINDOW = 128 << 20
_MAX_XZ_MEMORY = 256 << 20


class ByteSource(Protocol):
    """What a layer is read from: a file, or a blob that is still arriving."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end only."""
        ...

    def close(self) -> None: ...


class Compression(StrEnum):
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGIC = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\x00", Compression.XZ),
)


def detect_compression(head: bytes) -> Compression:
    """By the first bytes; 10 are enough."""
    for magic, compression in _MAGIC:
        if head.startswith(magic):
            return compression
    # Skippable zstd frames (magic 0x184D2A5?) lead seekable and chunked layers.
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
        return Compression.ZSTD
    return Compression.NONE


def decompressed(source: ByteSource, limits: Limits) -> Iterator[bytes]:
    """The uncompressed bytes in chunks of at most 1 MiB. The kind is told from the bytes themselves, because
    registries serve layers under the wrong media type. Raises InvalidLayer, LayerTooLarge.
    """
    counted = _Counted(source)
    compression = detect_compression(counted.peek(10))
    written = 0
    for data in _pieces(compression, counted):
        written += len(data)
        if written > limits.total_bytes:
            raise LayerTooLarge("uncompressed bytes", limits.total_bytes)
        if written > limits.ratio_from and written > counted.count * limits.ratio:
            raise LayerTooLarge("bytes for each compressed one", limits.ratio)
        yield data


class _Counted:
    """A source that counts, and that can be looked into."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._held = b""
        self.count = 0

    def peek(self, size: int) -> bytes:
        while len(self._held) < size and (more := self._source.read(CHUNK)):
            self._held += more
        return self._held[:size]

    def read(self, size: int = CHUNK, /) -> bytes:
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
        else:
            data = self._source.read(size)
        self.count += len(data)
        return data


def _pieces(compression: Compression, source: _Counted) -> Iterator[bytes]:
    """Output comes in bounded pieces whatever the ratio."""
    match compression:
        case Compression.NONE:
            yield from iter(source.read, b"")
        case Compression.ZSTD:
            yield from _zstd(source)
        case _:
            yield from _members(compression, source)


def _zstd(source: _Counted) -> Iterator[bytes]:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
    try:
        with decoder.stream_reader(cast("BinaryIO", source), read_size=CHUNK, read_across_frames=True) as reader:
            while data := reader.read(_OUTPUT):
                yield data
    except zstandard.ZstdError as error:
        raise InvalidLayer(f"broken zstd data: {error}") from error


class _Decoder(Protocol):
    """What the decompressors of bz2, lzma and isal have in common."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _decoder(compression: Compression) -> _Decoder:
    match compression:
        case Compression.BZIP2:
            return cast("_Decoder", bz2.BZ2Decompressor())
        case Compression.XZ:
            return cast("_Decoder", lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY))
        case _:
            from isal import igzip_lib

            # isal has no types; its decompressor has the members of bz2's.
            return cast("_Decoder", igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _broken(compression: Compression) -> tuple[type[Exception], ...]:
    if compression is not Compression.GZIP:
        return EOFError, OSError, ValueError, lzma.LZMAError
    from isal import isal_zlib

    return EOFError, OSError, ValueError, cast("type[Exception]", isal_zlib.error)


def _members(compression: Compression, source: _Counted) -> Iterator[bytes]:
    """One gzip member, bzip2 or xz stream after the other, with zero padding behind the last."""
    data = source.read()
    while data:
        decoder = _decoder(compression)
        try:
            while not decoder.eof:
                if not data and decoder.needs_input:
                    data = source.read()
                    if not data:
                        raise InvalidLayer(f"the {compression} data ends too early")
                piece = decoder.decompress(data, _OUTPUT)
                data = b""
                if piece:
                    yield piece
        except _broken(compression) as error:
            raise InvalidLayer(f"broken {compression} data: {error}") from error
        data = decoder.unused_data
        while not data.strip(b"\0"):
            data = source.read()
            if not data:
                return
        data = data.lstrip(b"\0")
