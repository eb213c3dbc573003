"""The records that an image carries, as plain data for people and programs."""

import platform as machine
from collections.abc import Collection
from typing import Any

from ..core.cache import InvalidRecords, Record, decode_records
from ..core.oci import Platform, Reference
from ..host.registry import DockerCredentials, RegistryClient, RegistryError, fetch_image


def _tops(record: Record) -> tuple[int, ...]:
    """The top layer of each of the record's results."""
    return (*(item.layer for item in record.results), *(item.layers[-1] for item in record.chains))


async def inspect_cache(reference: Reference, insecure: Collection[str]) -> tuple[dict[str, Any] | None, str]:
    """The image's records, or None and a sentence saying why they cannot be shown."""
    own = Platform("linux", machine.machine()).normalized()
    try:
        async with RegistryClient(DockerCredentials(), insecure=insecure) as client:
            image = await fetch_image(client, reference, own)
    except (RegistryError, ValueError) as error:
        return None, f"{reference}: {error}"
    layers = len(image.manifest.layers)
    try:
        records = decode_records(image.config.inline_cache, layers=layers) if image.config.inline_cache else ()
    except InvalidRecords as error:
        return None, f"{reference}: its cache records are broken: {error}"
    made_by = [entry.created_by for entry in image.config.history if not entry.empty_layer]
    made_by += [""] * (layers - len(made_by))
    return {
        "ref": str(reference),
        "digest": str(image.top_digest),
        "platform": str(image.config.platform),
        "layers": layers,
        "records": [
            {
                "digest": str(record.digest),
                "layers": [result.layer for result in record.results],
                "chains": [list(result.layers) for result in record.chains],
                "created_by": next((made_by[layer] for layer in _tops(record)), ""),
                "inputs": [
                    [{"selector": str(link.selector), "link": link.parent} for link in links] for links in record.inputs
                ],
            }
            for record in records
        ],
    }, ""
