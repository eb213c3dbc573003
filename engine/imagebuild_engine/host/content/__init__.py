"""Blobs by digest, verified as they pass, on disk."""

from .blob_store import BlobMissing, BlobStore
from .ingest import ContentError, DiskFull, Ingest, IngestAborted, IngestReader, WrongDigest, WrongSize

__all__ = [
    "BlobMissing",
    "BlobStore",
    "ContentError",
    "DiskFull",
    "Ingest",
    "IngestAborted",
    "IngestReader",
    "WrongDigest",
    "WrongSize",
]
