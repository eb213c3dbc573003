"""Blobs by digest, verified as they pass, on disk: a store of our own, and layouts of others."""

from .blob_store import BlobMissing, BlobStore
from .ingest import ContentError, DiskFull, Ingest, IngestAborted, IngestReader, WrongDigest, WrongSize
from .layout import InvalidLayout, LayoutMissing, OciLayout

__all__ = [
    "BlobMissing",
    "BlobStore",
    "ContentError",
    "DiskFull",
    "Ingest",
    "IngestAborted",
    "IngestReader",
    "InvalidLayout",
    "LayoutMissing",
    "OciLayout",
    "WrongDigest",
    "WrongSize",
]
