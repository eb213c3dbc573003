"""Reading tar: ustar, GNU (long names, sparse, base-256 numbers) and pax. Only forwards, only headers in memory.

Python's tarfile needs some 80 µs for each entry; this needs a tenth of that, hands out file content in the very chunks
that the decompressor made, and has limits for every length that a header can claim.
Format: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Sparse Formats".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct

from .errors import InvalidLayer, LayerTooLarge, UnsafeLayer
from .limits import Limits

BLOCK = 512
_HEADER = Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")
_ZERO = bytes(BLOCK)
_XATTR = b"SCHILY.xattr."
_REGULAR = {b"0", b"\0", b"7"}
_LARGEST_ID = 2**32 - 2
"""One more means "nobody in particular" to the kernel."""
_LARGEST_MAJOR, _LARGEST_MINOR = 2**12 - 1, 2**20 - 1
_LATEST = 2**40
"""Seconds: later (or earlier) than any file system can say, and what does not fit it cuts to what it can."""


@dataclass(slots=True)
class Member:
    """One entry of a tar. `name` is as it stands there; nothing about it has been checked."""

    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    size: int
    """Of the content in the archive."""
    mtime_ns: int
    linkname: bytes
    devmajor: int
    devminor: int
    xattrs: tuple[tuple[str, bytes], ...] = ()
    sparse: tuple[tuple[int, int], ...] | None = None
    """Offset and length of each piece of the content in a file of `real_size` bytes."""
    real_size: int = 0

    @property
    def is_file(self) -> bool:
        return self.type in _REGULAR or self.sparse is not None


@dataclass(slots=True)
class _Overrides:
    """What extension headers say about the next entry."""

    name: bytes | None = None
    linkname: bytes | None = None
    pax: dict[bytes, bytes] = field(default_factory=dict)


class TarReader:
    """`for member in reader:` then, for a file, `reader.content()` before the next member (or it is skipped)."""

    def __init__(self, chunks: Iterator[bytes], limits: Limits) -> None:
        self._chunks = chunks
        self._limits = limits
        self._buffer = memoryview(b"")
        self._left = 0
        """Bytes of the present member's content, with padding, that nobody has read."""
        self._content = 0
        self._global: dict[bytes, bytes] = {}
        self._entries = 0

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            self._entries += 1
            if self._entries > self._limits.entries:
                raise LayerTooLarge("entries", self._limits.entries)
            yield member

    def content(self) -> Iterator[memoryview]:
        """The member's bytes in pieces."""
        while self._content:
            piece = self._some(self._content)
            self._content -= len(piece)
            self._left -= len(piece)
            yield piece

    def drain(self) -> None:
        """Reads what lies behind the archive's end, so that the digest covers it."""
        self._buffer = memoryview(b"")
        for _ in self._chunks:
            continue

    # --- bytes -------------------------------------------------------------------------------------------------

    def _some(self, limit: int) -> memoryview:
        if not self._buffer:
            self._buffer = memoryview(next(self._chunks, b""))
            if not self._buffer:
                raise InvalidLayer("the tar ends in the middle of an entry")
        piece = self._buffer[:limit]
        self._buffer = self._buffer[limit:]
        return piece

    def _exact(self, size: int) -> bytes:
        if len(self._buffer) >= size:
            piece = bytes(self._buffer[:size])
            self._buffer = self._buffer[size:]
            return piece
        parts = bytearray()
        while len(parts) < size:
            parts += self._some(size - len(parts))
        return bytes(parts)

    def _skip(self) -> None:
        while self._left:
            self._left -= len(self._some(self._left))

    def _block(self) -> bytes | None:
        """The next header block; None at the end of the archive (also one without the two zero blocks)."""
        if not self._buffer:
            self._buffer = memoryview(next(self._chunks, b""))
            if not self._buffer:
                return None
        block = self._exact(BLOCK)
        return None if block == _ZERO else block

    def _extension(self, size: int) -> bytes:
        if size > self._limits.header_bytes:
            raise LayerTooLarge("bytes in one entry's header", self._limits.header_bytes)
        data = self._exact(size)
        self._exact(-size % BLOCK)
        return data

    # --- headers -----------------------------------------------------------------------------------------------

    def _next(self) -> Member | None:
        self._skip()
        said = _Overrides()
        spent = 0
        while (block := self._block()) is not None:
            member = _ustar(block)
            if member.type not in {b"L", b"K", b"x", b"g", b"X"}:
                self._apply(member, said, block)
                return member
            spent += member.size
            if spent > self._limits.header_bytes:
                raise LayerTooLarge("bytes in one entry's header", self._limits.header_bytes)
            data = self._extension(member.size)
            match member.type:
                case b"L":
                    said.name = data.partition(b"\0")[0]
                case b"K":
                    said.linkname = data.partition(b"\0")[0]
                case b"g":
                    self._global.update(_pax(data))
                    if sum(len(value) for value in self._global.values()) > self._limits.header_bytes:
                        raise LayerTooLarge("bytes in its global headers", self._limits.header_bytes)
                case _:
                    said.pax.update(_pax(data))
        return None

    def _apply(self, member: Member, said: _Overrides, block: bytes) -> None:
        member.name = said.name if said.name is not None else member.name
        member.linkname = said.linkname if said.linkname is not None else member.linkname
        pax = {**self._global, **said.pax} if self._global else said.pax
        if pax:
            _override(member, pax)
        if not (0 <= member.uid <= _LARGEST_ID and 0 <= member.gid <= _LARGEST_ID):
            raise InvalidLayer(f"a tar entry has the owner {member.uid}:{member.gid}")
        if not (0 <= member.devmajor <= _LARGEST_MAJOR and 0 <= member.devminor <= _LARGEST_MINOR):
            raise InvalidLayer(f"a tar entry is the device {member.devmajor}:{member.devminor}")
        member.mtime_ns = min(max(member.mtime_ns, -_LATEST * 1_000_000_000), _LATEST * 1_000_000_000)
        if not (member.is_file or member.type == b"S"):
            # Links, directories and devices have no content whatever their size field says (POSIX: to be ignored).
            member.size = member.size if member.type not in b"123456" else 0
        self._content = member.size
        self._left = member.size + -member.size % BLOCK
        if member.type == b"S":
            self._old_sparse(member, block)
        elif pax and b"GNU.sparse.major" in pax:
            self._pax_sparse(member, pax)
        elif pax and b"GNU.sparse.map" in pax:
            numbers = [_decimal(text) for text in pax[b"GNU.sparse.map"].split(b",")]
            self._set_sparse(member, numbers, _decimal(pax.get(b"GNU.sparse.size", b"0")))
        elif member.is_file:
            member.real_size = member.size

    def _old_sparse(self, member: Member, block: bytes) -> None:
        numbers: list[int] = []

        def collect(area: bytes, count: int) -> None:
            for index in range(count):
                part = area[index * 24 : index * 24 + 24]
                if part[12:].strip(b"\0 "):
                    numbers.extend((_number(part[:12]), _number(part[12:])))

        collect(block[386:482], 4)
        more = block[482]
        while more:
            extension = self._exact(BLOCK)
            collect(extension, 21)
            more = extension[504]
            if len(numbers) * 12 > self._limits.header_bytes:
                raise LayerTooLarge("bytes in one entry's header", self._limits.header_bytes)
        self._set_sparse(member, numbers, _number(block[483:495]))

    def _pax_sparse(self, member: Member, pax: dict[bytes, bytes]) -> None:
        """Format 1.0: the map leads the content, in decimal lines, padded to a block."""
        if pax[b"GNU.sparse.major"] != b"1":
            raise InvalidLayer("unknown sparse format in the tar")
        text = bytearray()

        def line() -> int:
            while b"\n" not in text:
                if self._left < BLOCK or len(text) > self._limits.header_bytes:
                    raise InvalidLayer("broken sparse map in the tar")
                text.extend(self._exact(BLOCK))
                self._left -= BLOCK
                self._content -= BLOCK
            value, _, rest = bytes(text).partition(b"\n")
            text[:] = rest
            return _decimal(value)

        count = line()
        if count > self._limits.header_bytes // 4:
            raise LayerTooLarge("bytes in one entry's header", self._limits.header_bytes)
        numbers = [line() for _ in range(count * 2)]
        self._content = max(self._content, 0)
        self._set_sparse(member, numbers, _decimal(pax.get(b"GNU.sparse.realsize", b"0")))

    def _set_sparse(self, member: Member, numbers: list[int], real_size: int) -> None:
        pieces = tuple(zip(numbers[::2], numbers[1::2], strict=False))
        end = 0
        for offset, length in pieces:
            if offset < end or offset + length > real_size:
                raise InvalidLayer("broken sparse map in the tar")
            end = offset + length
        if sum(length for _, length in pieces) != self._content or real_size > self._limits.total_bytes:
            raise InvalidLayer("broken sparse map in the tar")
        member.type = b"0"
        member.sparse = pieces
        member.real_size = real_size


def _ustar(block: bytes) -> Member:
    fields = _HEADER.unpack(block)
    name, mode, uid, gid, size, mtime, checksum, kind, linkname, magic, _, _, major, minor, prefix, _ = fields
    total = sum(block) - sum(checksum) + 8 * 0x20
    claimed = _number(checksum)
    if total != claimed and _signed_sum(block) != claimed:
        raise InvalidLayer("wrong checksum in a tar header: not a tar, or a damaged one")
    name = name.rstrip(b"\0") if b"\0" not in name.rstrip(b"\0") else name.partition(b"\0")[0]
    if magic.startswith(b"ustar\x0000") and prefix[0]:  # POSIX, not GNU ("ustar  "), which uses the field otherwise
        name = prefix.partition(b"\0")[0] + b"/" + name
    return Member(
        name,
        kind,
        _number(mode) & 0o7777,
        _number(uid),
        _number(gid),
        _length(size),
        _number(mtime) * 1_000_000_000,
        linkname.partition(b"\0")[0],
        _number(major) if kind in {b"3", b"4"} else 0,
        _number(minor) if kind in {b"3", b"4"} else 0,
    )


def _signed_sum(block: bytes) -> int:
    """Old tars summed signed chars."""
    return sum(value - 256 if value > 127 else value for value in block[:148] + b" " * 8 + block[156:])


def _number(text: bytes) -> int:
    """Octal digits between blanks and nulls, or base 256 if the top bit is set (negative with 0xff)."""
    if text[0] & 0x80:
        if text[0] == 0xFF:
            return int.from_bytes(text, "big", signed=True)
        return int.from_bytes(text, "big") & ~(0x80 << 8 * (len(text) - 1))
    digits = text.strip(b"\0 ").partition(b"\0")[0]
    try:
        return int(digits or b"0", 8)
    except ValueError:
        raise InvalidLayer(f"a tar header has a number that is none: {digits[:16]!r}") from None


def _length(text: bytes) -> int:
    value = _number(text)
    if value < 0:
        raise InvalidLayer("a tar entry has a negative size")
    return value


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise InvalidLayer(f"a pax header has a number that is none: {text[:24]!r}")
    return int(text)


def _pax(data: bytes) -> dict[bytes, bytes]:
    r"""Records of the form "length key=value\n", where the length counts all of it."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        blank = data.find(b" ", position, position + 24)
        length = _decimal(data[position:blank]) if blank > 0 else 0
        record = data[blank + 1 : position + length]
        if length < 5 or position + length > len(data) or not record.endswith(b"\n"):
            raise InvalidLayer("broken pax header in the tar")
        key, equals, value = record[:-1].partition(b"=")
        if not equals or not key:
            raise InvalidLayer("broken pax header in the tar")
        found[key] = value
        position += length
    return found


def _mtime(text: bytes) -> int:
    sign = -1 if text.startswith(b"-") else 1
    seconds, _, fraction = text.lstrip(b"-").partition(b".")
    return sign * (_decimal(seconds) * 1_000_000_000 + int((fraction[:9] or b"0").ljust(9, b"0")))


def _text(value: bytes) -> bytes:
    if b"\0" in value:
        raise UnsafeLayer(value, "a null byte in a name")
    return value


def _set_path(member: Member, value: bytes) -> None:
    member.name = _text(value)


def _set_link(member: Member, value: bytes) -> None:
    member.linkname = _text(value)


def _set_size(member: Member, value: bytes) -> None:
    member.size = _decimal(value)


def _set_uid(member: Member, value: bytes) -> None:
    member.uid = _decimal(value)


def _set_gid(member: Member, value: bytes) -> None:
    member.gid = _decimal(value)


def _set_mtime(member: Member, value: bytes) -> None:
    member.mtime_ns = _mtime(value)


_PAX: dict[bytes, Callable[[Member, bytes], None]] = {
    b"path": _set_path,
    b"GNU.sparse.name": _set_path,
    b"linkpath": _set_link,
    b"size": _set_size,
    b"uid": _set_uid,
    b"gid": _set_gid,
    b"mtime": _set_mtime,
}


def _override(member: Member, pax: dict[bytes, bytes]) -> None:
    xattrs: list[tuple[str, bytes]] = []
    for key, value in pax.items():
        if key.startswith(_XATTR):
            xattrs.append((_text(key[len(_XATTR) :]).decode("utf-8", "surrogateescape"), value))
        elif (setter := _PAX.get(key)) is not None and value:  # an empty value means: as the header says
            setter(member, value)
    if b"GNU.sparse.name" in pax:
        member.name = _text(pax[b"GNU.sparse.name"])
    member.xattrs = tuple(sorted(xattrs))
