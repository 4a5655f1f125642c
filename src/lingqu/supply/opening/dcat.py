# SPDX-License-Identifier: Apache-2.0
"""How a catalog is written as DCAT 3 in JSON-LD, in the profile DCAT-AP: one text for one content.

What is open here describes its files with it, and other packages add what they offer.
"""

from __future__ import annotations

from collections.abc import Sequence

from lingqu.kernel import canon
from lingqu.kernel.time import Instant, format_instant
from lingqu.supply.opening.files import OpenFile, read_lineage

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_RIGHTS = "http://publications.europa.eu/resource/authority/access-right/"


def write_dcat(
    *,
    place: str,
    title: str,
    publisher: str,
    modified: Instant | None,
    datasets: Sequence[dict[str, object]],
    services: Sequence[dict[str, object]] = (),
) -> str:
    """This will write a catalog of datasets and services as JSON-LD; same content, same text."""
    document: dict[str, object] = {
        "@context": _CONTEXT,
        "@id": place,
        "@type": "dcat:Catalog",
        "dct:title": _said(title),
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": publisher},
        "dcat:dataset": list(datasets),
    }
    if modified is not None:
        document["dct:modified"] = _moment(modified)
    if services:
        document["dcat:service"] = list(services)
    return canon.encode(document).decode()


def describe_file(file: OpenFile, *, publisher: str, base: str) -> dict[str, object]:
    """This will describe an open file as a dataset with one distribution."""
    place = f"{base}/api/v1/supply/open/{file.id}"
    return {
        "@id": place,
        "@type": "dcat:Dataset",
        "dct:identifier": file.id,
        "dct:title": _said(file.title),
        "dct:description": _said(file.summary),
        "dct:publisher": _agent(file.body, publisher),
        "dct:issued": _moment(file.published_at),
        "dct:accessRights": {"@id": f"{_RIGHTS}PUBLIC"},
        "prov:wasDerivedFrom": [
            {"dct:identifier": one.resource, "dcat:version": str(one.edition)}
            for one in read_lineage(file)
        ],
        "dcat:distribution": {
            "@type": "dcat:Distribution",
            "dcat:accessURL": {"@id": place},
            "dcat:downloadURL": {"@id": f"{place}/content"},
            "dcat:mediaType": {"@id": "https://www.iana.org/assignments/media-types/text/csv"},
            "dcat:byteSize": {"@value": str(file.size_bytes), "@type": "xsd:nonNegativeInteger"},
            "dct:license": {"@type": "dct:LicenseDocument", "dct:title": file.terms},
            "spdx:checksum": {
                "@type": "spdx:Checksum",
                "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
            },
        },
    }


def describe_service(
    *,
    place: str,
    identifier: str,
    title: str,
    summary: str,
    party: str,
    publisher: str,
    issued: Instant | None,
) -> dict[str, object]:
    """This will describe what is used without being seen: a service of restricted access."""
    described: dict[str, object] = {
        "@id": place,
        "@type": "dcat:DataService",
        "dct:identifier": identifier,
        "dct:title": _said(title),
        "dct:description": _said(summary),
        "dct:publisher": _agent(party, publisher),
        "dct:accessRights": {"@id": f"{_RIGHTS}RESTRICTED"},
        "dcat:endpointDescription": {"@id": place},
    }
    if issued is not None:
        described["dct:issued"] = _moment(issued)
    return described


def _agent(party: str, name: str) -> dict[str, str]:
    return {"@type": "foaf:Agent", "dct:identifier": party, "foaf:name": name}


def _said(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "zh"}


def _moment(instant: Instant) -> dict[str, str]:
    return {"@value": format_instant(instant), "@type": "xsd:dateTime"}
