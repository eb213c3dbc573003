"""What an op reads of a tree, and the digests by which it is known (ops/opsutils/contenthash.go).

A selector is a plain path, whose checksum says all, or it chooses: by wildcards in the path (`COPY *.txt`), by patterns
for what lies below it (`--exclude`, `--parents`). What is chosen is listed, and the list is hashed, in a form that has
changed with BuildKit's versions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..oci import Digest
from ..patterns import has_wildcards
from .content import DescribedTree, octets
from .listing import Listing, listing
from .reading import has_one_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSelector:
    """A part of a tree: a path or pattern, what is taken of what lies below it, and whether its last link is followed.

    `include` and `exclude` are patterns of .dockerignore's kind; `required` are paths that must be among the chosen.
    """

    path: str
    wildcard: bool = False
    follow_links: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    @property
    def is_pattern(self) -> bool:
        """Is the path to be expanded, and is there something to expand?"""
        return self.wildcard and has_wildcards(self.path)

    @property
    def chooses(self) -> bool:
        """Is this more than the checksum of a path?"""
        return self.is_pattern or bool(self.include or self.exclude)

    def read(self, tree: DescribedTree) -> Digest | Listing:
        """A path's checksum, or the list of what is chosen. Raises PathNotFound and BadPattern."""
        if not self.chooses:
            return tree.checksum(self.path, follow_links=self.follow_links)
        return listing(
            tree,
            self.path,
            wildcard=self.is_pattern,
            follow_links=self.follow_links,
            include=self.include,
            exclude=self.exclude,
            required=self.required,
        )


_Form = Callable[[DescribedTree, Listing], Digest | None]
"""A version's digest of what is listed; None if it says too little to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRequest:
    """What an op reads of an input. Without selectors: the whole tree, as a RUN's bind mount of `/` does."""

    selectors: tuple[ContentSelector, ...] = ()

    def digest(self, tree: DescribedTree) -> Digest:
        """The content digest of all that is selected. Raises PathNotFound and BadPattern."""
        return self.digests(tree)[0]

    def digests(self, tree: DescribedTree) -> tuple[Digest, ...]:
        """All content digests by which some version knows the selected, the current one first. Raises as above."""
        selectors = deduplicated(self.selectors or (ContentSelector(path="/", follow_links=False),))
        found = [selector.read(tree) for selector in selectors]
        forms = _FORMS if any(isinstance(item, Listing) for item in found) else _FORMS[:1]
        digests = (_together(tree, found, form) for form in forms)
        return tuple(dict.fromkeys(digest for digest in digests if digest is not None))


def _together(tree: DescribedTree, found: Sequence[Digest | Listing], form: _Form) -> Digest | None:
    checksums: list[Digest] = []
    for item in found:
        checksum = form(tree, item) if isinstance(item, Listing) else item
        if checksum is None:
            return None
        checksums.append(checksum)
    return Digest.of("\0".join(checksums).encode())


def deduplicated(selectors: Sequence[ContentSelector]) -> tuple[ContentSelector, ...]:
    """Without what lies below another selected path of the same kind, sorted by path."""
    # A path may be expanded and still be plain: then it is treated like any other (ops/file.go, addSelector).
    kept: list[ContentSelector] = []
    for follow in (False, True):
        plain = sorted({item.path for item in selectors if not item.chooses and item.follow_links is follow})
        tops: list[str] = []
        for path in plain:
            if not any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops):
                tops.append(path)
        kept += [ContentSelector(path=path, follow_links=follow) for path in tops]
    kept += [item for item in selectors if item.chooses]
    return tuple(sorted(kept, key=lambda item: octets(item.path)))


def by_paths(_: DescribedTree, found: Listing) -> Digest:
    """v0.26 and later: all that is chosen, each under its path; directories with their headers only."""
    return found.alone or found.by_paths()


def by_names(_: DescribedTree, found: Listing) -> Digest | None:
    """v0.9 to v0.25: the same list, each under its base name.

    Where that leaves open what lies in which directory, it is None: a tree in which a file lies beside a directory must
    not be taken for one in which it lies inside. v0.9 to v0.24 let every link count with what it leads to, also those
    that are copied as links: then a link and a copy have one key. That form is left out; without such links it is this.
    """
    if found.alone:
        return found.alone
    return found.by_names() if has_one_reading(found) else None


def by_matches(tree: DescribedTree, found: Listing) -> Digest | None:
    """v0.8: each match of a wildcard under its base name, with its whole content. It knows no other patterns."""
    if found.filtered:
        return None
    matches = [(name, tree.checksum(path, follow_links=found.follow_links)) for name, path in found.matches]
    if len(matches) == 1 and matches[0][0] == found.base:
        return matches[0][1]
    return Digest.of(b"\0".join(octets(name) + digest.encode() for name, digest in matches))


_FORMS: tuple[_Form, ...] = (by_paths, by_names, by_matches)
