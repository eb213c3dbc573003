"""Tar headers, the same bytes for the same entry always: ustar, with a pax header only for what ustar cannot say.

No user names, whole seconds, no access times: what differs between two builds of one tree has no place in a layer.
"""

import os

from ..rootfs import Entry, Kind

BLOCK = 512
END = bytes(2 * BLOCK)
_TYPES = {
    Kind.FILE: b"0",
    Kind.SYMLINK: b"2",
    Kind.CHAR: b"3",
    Kind.BLOCK: b"4",
    Kind.DIRECTORY: b"5",
    Kind.FIFO: b"6",
}
_OCTAL_11 = 8**11 - 1
_OCTAL_7 = 8**7 - 1


def header(entry: Entry, *, mtime: int, hard_link: bytes | None = None) -> bytes:
    """The header blocks of one entry; `mtime` in seconds. With `hard_link` it is a link to that earlier name."""
    kind = _TYPES[entry.kind] if hard_link is None else b"1"
    name = entry.path + b"/" if entry.kind is Kind.DIRECTORY else entry.path
    link = entry.linkname if hard_link is None else hard_link
    size = entry.size if kind == b"0" else 0
    pax: dict[bytes, bytes] = {}
    prefix, short = _split(name)
    if short is None:
        pax[b"path"] = name
        short = _ascii(name)[:100]
    short_link = link
    if len(link) > 100 or not link.isascii():
        pax[b"linkpath"] = link
        short_link = _ascii(link)[:100]
    for key, value, largest in (
        (b"size", size, _OCTAL_11),
        (b"uid", entry.uid, _OCTAL_7),
        (b"gid", entry.gid, _OCTAL_7),
    ):
        if value > largest:
            pax[key] = b"%d" % value
    if not 0 <= mtime <= _OCTAL_11:
        pax[b"mtime"] = b"%d" % mtime
    if hard_link is None:
        for attribute, data in entry.xattrs:
            pax[b"SCHILY.xattr." + os.fsencode(attribute)] = data
    block = _block(
        name=short,
        prefix=prefix,
        mode=entry.mode,
        uid=entry.uid if b"uid" not in pax else 0,
        gid=entry.gid if b"gid" not in pax else 0,
        size=size if b"size" not in pax else 0,
        mtime=mtime if b"mtime" not in pax else 0,
        kind=kind,
        link=short_link,
        device=(entry.devmajor, entry.devminor),
    )
    return _pax_blocks(pax, name) + block if pax else block


def whiteout(path: bytes, *, mtime: int) -> bytes:
    """The header of the empty file that hides a lower layer's path."""
    parent, slash, name = path.rpartition(b"/")
    entry = Entry(parent + slash + b".wh." + name, Kind.FILE, 0, 0, 0, 0, 0)
    return header(entry, mtime=mtime)


def padding(size: int) -> bytes:
    """What follows content of that size."""
    return bytes(-size % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """ustar's prefix and name, or None where the name does not fit."""
    if not name.isascii():
        return b"", None
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, min(156, len(name) - 1))
    if cut > 0 and len(name) - cut - 1 <= 100:
        return name[:cut], name[cut + 1 :]
    return b"", None


def _ascii(text: bytes) -> bytes:
    return bytes(value if value < 128 else 0x5F for value in text)


def _pax_blocks(pax: dict[bytes, bytes], name: bytes) -> bytes:
    records = b"".join(_record(key, pax[key]) for key in sorted(pax))
    # The name of a pax header is for readers that do not know it; the form is Go's and GNU's.
    parent, _, last = name.rstrip(b"/").rpartition(b"/")
    shown = _ascii(b"PaxHeaders.0/" + last)[:100] if len(parent) > 80 else _ascii(parent + b"/PaxHeaders.0/" + last)
    block = _block(
        name=shown.lstrip(b"/")[:100],
        prefix=b"",
        mode=0,
        uid=0,
        gid=0,
        size=len(records),
        mtime=0,
        kind=b"x",
        link=b"",
        device=(0, 0),
    )
    return block + records + padding(len(records))


def _record(key: bytes, value: bytes) -> bytes:
    """The length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while True:
        text = b"%d" % length
        if len(text) + len(rest) == length:
            return text + rest
        length = len(text) + len(rest)


def _block(
    *,
    name: bytes,
    prefix: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes,
    device: tuple[int, int],
) -> bytes:
    raw = b"%s%s\0%07o\0%07o\0%011o\0%011o\0        %s%s" % (
        name.ljust(100, b"\0"),
        b"%07o" % mode,
        uid,
        gid,
        size,
        mtime,
        kind,
        link.ljust(100, b"\0"),
    )
    raw += b"ustar\x0000" + bytes(64) + b"%07o\0%07o\0" % device + prefix.ljust(155, b"\0") + bytes(12)
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]
