"""Keys of sources: images, files from the web, commits."""

from imagebuild_engine.core.cache import root_key
from imagebuild_engine.core.graph import GitSource, HttpSource, ImageSource, LocalSource, cache_map, chain_id
from imagebuild_engine.core.graph.keys import git_text
from imagebuild_engine.core.oci import Digest, Platform, Reference

from tests.support.golden import own


def test_the_keys_of_the_golden_base_image() -> None:
    base = own()["base"]
    expected = {
        "linux/amd64": "46a1512a7bb5a6bde9fb5340f92eaaad59e2b634636dcacb353770d6784ec025",
        "linux/arm64": next(
            key.removeprefix("sha256:")
            for key, (_, text) in own()["preimages_HEAD"].items()
            if text.startswith('{"Digest"') and "arm64" in text
        ),
    }
    for platform, k1 in expected.items():
        diff_ids = tuple(map(Digest.parse, base["platforms"][platform]["diff_ids"]))
        source = image(Digest.parse(base["digest_used_in_key (index)"]), platform, *diff_ids)
        assert cache_map(source).digests == tuple(
            Digest.of(f"buildkit.source.v0:{key}".encode()) for key in (f"sha256:{k1}", diff_ids[0])
        )


def test_the_root_records_of_the_golden_base_image() -> None:
    base = own()["base"]
    diff_ids = tuple(map(Digest.parse, base["platforms"]["linux/amd64"]["diff_ids"]))
    found = cache_map(image(Digest.parse(base["digest_used_in_key (index)"]), "linux/amd64", *diff_ids))
    assert [root_key(digest, 0) for digest in found.digests] == [
        "sha256:5804d923a4e4cbcb54251fdcdac42f337f81ce632c9d642e6d253856b45d9658",
        "sha256:042bf55d63346767941471f79424c1ac74d382d027c8fcb3bde2a071e9a02b6d",
    ]


def image(digest: Digest, platform: str, *diff_ids: Digest) -> ImageSource:
    system, architecture, *variant = platform.split("/")
    return ImageSource(
        reference=Reference.parse("example.com/a:1"),
        digest=digest,
        platform=Platform(system, architecture, "".join(variant)),
        diff_ids=diff_ids,
    )


def test_the_chain_of_layers_is_hashed_pairwise() -> None:
    a, b, c = (Digest.of(name) for name in (b"a", b"b", b"c"))
    ab = Digest.of(f"{a} {b}".encode())
    assert chain_id((a, b, c)) == Digest.of(f"{ab} {c}".encode())
    assert chain_id(()) is None


def test_an_image_without_layers_has_one_key() -> None:
    assert len(cache_map(image(Digest.of(b""), "linux/amd64")).digests) == 1


def test_the_name_of_an_image_is_no_part_of_its_key_and_its_platform_is() -> None:
    def keys(name: str, platform: str) -> tuple[Digest, ...]:
        source = image(Digest.of(b"index"), platform, Digest.of(b"layer"))
        return cache_map(
            ImageSource(
                reference=Reference.parse(name),
                digest=source.digest,
                platform=source.platform,
                diff_ids=source.diff_ids,
            )
        ).digests

    assert keys("a.example/x:1", "linux/arm64") == keys("b.example/y:2", "linux/arm64/v8")
    assert keys("a.example/x:1", "linux/arm64") != keys("a.example/x:1", "linux/arm/v7")
    assert keys("a.example/x:1", "linux/arm/v6") != keys("a.example/x:1", "linux/arm/v7")


def test_local_files_are_known_by_content_only() -> None:
    assert cache_map(LocalSource(name="context")).digests == ()


def http(**options: str) -> HttpSource:
    checksum = Digest.parse("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    return HttpSource(**{"url": "http://x/f.txt", "filename": "f.txt", "checksum": checksum} | options)  # type: ignore


def test_the_roots_of_the_golden_downloads() -> None:
    """t18 and t19: with the server's time, and, as its checksum is pinned, without."""
    found = [cache_map(source).digests for source in (http(last_modified="Fri, 14 Jul 2017 02:40:00 GMT"), http())]
    assert [root_key(digest, 0) for (digest,) in found] == [
        "sha256:a47baf773490f5de853f5e3c8c48c527081a7cb0219fb7820fceab4f63e7bcba",
        "sha256:84be0aa15db5f1fe87d084e7bf360b8dec21faa28de5fee50e959960e9f88d5f",
    ]


def test_the_address_of_a_download_is_no_part_of_its_key_and_its_name_is() -> None:
    assert cache_map(http(url="http://y/z")) == cache_map(http())
    assert cache_map(http(filename="g.txt")) != cache_map(http())


def git(**options: object) -> bytes:
    return git_text(GitSource(**{"remote": "https://x/y.git", "commit": "c0ffee", "ref": "refs/heads/main"} | options))  # type: ignore


def test_a_commit_is_its_own_key() -> None:
    assert git() == git(remote="https://elsewhere/z.git", ref="refs/tags/v1") == b"buildkit.source.v0:c0ffee"


def test_a_kept_git_directory_a_part_and_missing_submodules_are_in_the_key() -> None:
    assert git(keep_git_dir=True) == b"buildkit.source.v0:c0ffee.git#refs/heads/main"
    assert git(keep_git_dir=True, ref="") == b"buildkit.source.v0:c0ffee.git"
    assert git(subdir="a/b", submodules=False) == b"buildkit.source.v0:c0ffee:a/b(skip-submodules)"
