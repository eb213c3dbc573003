"""URLs as Go's net/url reads and writes them, as far as Git references need it: scheme, authority, path, query.

Go works on bytes and so does this: inside, a character stands for one byte (Latin-1).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_ALNUM = "0-9A-Za-z"
_ESCAPED_IN_PATH = re.compile(rf"[^{_ALNUM}$&+,\-./:;=@_~]")
_ESCAPED_IN_HOST = re.compile(rf"""[^{_ALNUM}!"$&'()*+,\-.:;<=>\[\]_~]""")
_ESCAPED_IN_USER = re.compile(rf"[^{_ALNUM}$&+,\-.;=_~]")
_VALID_PATH = re.compile(rf"[{_ALNUM}$&+,\-./:;=@_~!'()*\[\]%]*")
_VALID_USER = re.compile(rf"[{_ALNUM}\-._:~!$&'()*+,;=%@]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_PORT = re.compile(r"(:[0-9]*)?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_MOST_PARAMETERS = 10_000


class BadUrl(ValueError):
    """What net/url.Parse refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebUrl:
    """A URL taken apart. `path` and `fragment` are decoded, `query` is for `parse_query`.

    `plain` is the whole, written anew, without query and fragment.
    """

    scheme: str
    path: str
    query: str
    fragment: str
    plain: str


def parse_url(text: str, *, scheme: str = "") -> WebUrl:
    """The parts of `text`; `scheme` is for a text that has none. Raises BadUrl."""
    octets = octets_of(text)
    before, _, fragment = octets.partition("#")
    if any(char < " " or char == "\x7f" for char in before):
        raise BadUrl("control character")
    given = _SCHEME.match(before)
    rest = before[given.end() :] if given else before
    forced = "?" if rest.endswith("?") and rest.count("?") == 1 else ""
    rest, _, query = rest.partition("?")
    authority = ""
    if rest.startswith("//"):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        authority = _authority(authority, given[1].lower() if given else "")
    elif given:
        raise BadUrl("no authority")
    path = _unescaped(rest)
    written = rest if _VALID_PATH.fullmatch(rest) else _escaped(path, _ESCAPED_IN_PATH)
    used = (given[1] if given else scheme).lower()
    return WebUrl(
        scheme=used,
        path=_text(path),
        query=query,
        fragment=_text(_unescaped(fragment)),
        plain=_text(f"{used}:{'//' if authority or path else ''}{authority}{written}{forced}"),
    )


def octets_of(text: str) -> str:
    """Each byte a character."""
    return text.encode(errors="replace").decode("latin-1")


def _authority(text: str, scheme: str) -> str:
    """`user:password@host:port`, checked and written anew."""
    user, at, host = text.rpartition("@")
    host = _escaped(_host(host, scheme), _ESCAPED_IN_HOST)
    if not at:
        return host
    if _VALID_USER.fullmatch(user) is None:
        raise BadUrl("userinfo")
    parts = [_escaped(_unescaped(part), _ESCAPED_IN_USER) for part in user.split(":", 1)]
    return f"{':'.join(parts)}@{host}"


def _host(host: str, scheme: str) -> str:
    if "[" in host:
        if host.rfind("[") > 0 or "]" not in host:
            raise BadUrl("IP literal")
        address, _, port = host[1:].rpartition("]")
        if _PORT.fullmatch(port) is None:
            raise BadUrl("port")
        name, percent, zone = address.partition("%25")
        name = _host_name(name) + ("%" + _host_name(zone, zone=True) if percent else "")
        try:
            ipaddress.IPv6Address(name)
        except ValueError:
            raise BadUrl("IP literal") from None
        return f"[{name}]{port}"
    name, colon, port = host.partition(":") if scheme in ("http", "https") else host.rpartition(":")
    if colon and _PORT.fullmatch(colon + port) is None:
        raise BadUrl("port")
    return _host_name(host)


def _host_name(text: str, *, zone: bool = False) -> str:
    """Decoded. Escapes of ASCII are allowed in zones only, there only of blanks and what a host may have anyway."""
    for match in _ESCAPE.finditer(text):
        char = chr(int(match[1], 16)) if match[1] else ""
        if match[0] != "%25" and char < "\x80" and not (zone and (char == " " or not _ESCAPED_IN_HOST.match(char))):
            raise BadUrl("escape in host")
    if any(char < "\x80" for char in _ESCAPED_IN_HOST.findall(_ESCAPE.sub("", text))):
        raise BadUrl("host")
    return _unescaped(text)


def _unescaped(text: str) -> str:
    def byte(match: re.Match[str]) -> str:
        if match[1] is None:
            raise BadUrl("escape")
        return chr(int(match[1], 16))

    return _ESCAPE.sub(byte, text)


def _escaped(octets: str, unsafe: re.Pattern[str]) -> str:
    return unsafe.sub(lambda match: f"%{ord(match[0]):02X}", octets)


def _text(octets: str) -> str:
    return octets.encode("latin-1").decode(errors="replace")


def parse_query(query: str) -> tuple[dict[str, list[str]], bool]:
    """The parameters that can be read, each with its values in order; and whether that was all (url.ParseQuery).

    `query` is in octets.
    """
    if query.count("&") >= _MOST_PARAMETERS:
        return {}, False
    found: dict[str, list[str]] = {}
    complete = True
    for pair in query.split("&"):
        name, _, value = pair.replace("+", " ").partition("=")
        try:
            if ";" in pair:
                raise BadUrl("semicolon")
            key, text = _text(_unescaped(name)), _text(_unescaped(value))
            if pair:
                found.setdefault(key, []).append(text)
        except BadUrl:
            complete = False
    return found, complete
