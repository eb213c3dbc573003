"""What an op reads of a tree, and the digests by which it is known (ops/opsutils/contenthash.go).

A selector is a plain path, whose checksum says all, or it chooses: by wildcards in the path (`COPY *.txt`), by patterns
for what lies below it (`--exclude`, `--parents`). What is chosen is listed, and the list is hashed, in a form that has
changed with BuildKit's versions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..oci import Digest
from .content import DescribedTree
from .listing import Listing, listing
from .reading import has_one_reading
from .wildcard import has_wildcards


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
    def is_filter(self) -> bool:
        return bool(self.include or self.exclude)

    @property
    def chooses(self) -> bool:
        """Is this more than the checksum of a path?"""
        return self.is_pattern or self.is_filter


_Form = Callable[[DescribedTree, ContentSelector], Digest | None]
"""A version's digest of the selected; None if it says too little to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRequest:
    """What an op reads of an input. Without selectors: the whole tree, as a RUN's bind mount of `/` does."""

    selectors: tuple[ContentSelector, ...] = ()

    def digest(self, tree: DescribedTree) -> Digest:
        """The content digest of all that is selected. Raises PathNotFound and BadWildcard."""
        found = self._digest(tree, by_paths)
        assert found is not None
        return found

    def digests(self, tree: DescribedTree) -> tuple[Digest, ...]:
        """All content digests by which some version knows the selected, the current one first. Raises as above."""
        if not any(selector.chooses for selector in self.selectors):
            return (self.digest(tree),)
        older = (self._digest(tree, form) for form in (by_names, by_names_following, by_matches))
        return tuple(dict.fromkeys((self.digest(tree), *(found for found in older if found is not None))))

    def _digest(self, tree: DescribedTree, form: _Form) -> Digest | None:
        checksums: list[Digest] = []
        for selector in deduplicated(self.selectors or (ContentSelector(path="/", follow_links=False),)):
            found = (
                form(tree, selector)
                if selector.chooses
                else tree.checksum(selector.path, follow_links=selector.follow_links)
            )
            if found is None:
                return None
            checksums.append(found)
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
    return tuple(sorted(kept, key=lambda item: item.path.encode("utf-8", "surrogateescape")))


def by_paths(tree: DescribedTree, selector: ContentSelector) -> Digest:
    """v0.26 and later: all that is chosen, each under its path; directories with their headers only."""
    found = _listed(tree, selector)
    return found.alone or found.by_paths()


def by_names(tree: DescribedTree, selector: ContentSelector) -> Digest | None:
    """v0.25: the same list, each under its base name. Where that leaves open what lies in which directory, it is None:
    a tree in which a file lies beside a directory must not be taken for one in which it lies inside."""
    found = _listed(tree, selector)
    if found.alone:
        return found.alone
    return found.by_names() if has_one_reading(found) else None


def by_names_following(tree: DescribedTree, selector: ContentSelector) -> Digest | None:
    """v0.9 to v0.24: as v0.25, but every link counts with what it leads to.

    So a link below a match and a copy of what it leads to have one key, though the one is copied as a link: with such a
    link in the list, this form is None too. Without, it is v0.25's.
    """
    return None if _listed(tree, selector).has_nested_links else by_names(tree, selector)


def by_matches(tree: DescribedTree, selector: ContentSelector) -> Digest | None:
    """v0.8: each match of a wildcard under its base name, with its whole content. It knows no other patterns."""
    if selector.is_filter:
        return None
    found = _listed(tree, selector)
    matches = [(name, tree.checksum(path, follow_links=selector.follow_links)) for name, path in found.matches]
    if len(matches) == 1 and matches[0][0] == found.base:
        return matches[0][1]
    return Digest.of(b"\0".join(name.encode("utf-8", "surrogateescape") + text.encode() for name, text in matches))


def _listed(tree: DescribedTree, selector: ContentSelector) -> Listing:
    return listing(
        tree,
        selector.path,
        wildcard=selector.is_pattern,
        follow_links=selector.follow_links,
        include=selector.include,
        exclude=selector.exclude,
        required=selector.required,
    )
