# SPDX-License-Identifier: Apache-2.0
"""The registries and authorised operation from the command line."""

from lingqu.rights import operation
from lingqu.runtime import new_id


def test_a_registrar_is_named_listed_and_ended(founded):
    named = founded.json(
        *("registry", "name", founded.party, "--registry", "public"),
        *("--area", "45", "--number", "9"),
    )["registrar"]
    assert named["registry"] == "public"
    assert "459" in founded("registry", "registrars").out
    taken = founded(
        *("registry", "name", founded.party, "--registry", "public"),
        *("--area", "46", "--number", "9", "--json"),
    )
    assert taken.refusal == "rights.registrar.taken"
    assert founded("registry", "end", named["id"]).code == 0


def test_what_is_not_registered_is_not_found(founded):
    assert founded.json("registry", "list", "--kind", "product") == {"items": [], "next": None}
    assert founded("registry", "find", "7X", "--json").refusal == "rights.registration.code_unknown"
    gone = founded("registry", "certificate", "7X", "http://127.0.0.1/7X", "--json")
    assert gone.refusal == "rights.registration.code_unknown"


def test_schemes_and_agreements_are_listed_and_written(founded):
    assert founded.json("operation", "schemes") == {"items": [], "next": None}
    assert founded.json("operation", "agreements") == {"items": [], "next": None}
    scheme, agreement = new_id(operation.SchemeId), new_id(operation.AgreementId)
    refused = {
        ("write-scheme", scheme): "rights.scheme.not_found",
        ("write-agreement", agreement): "rights.agreement.not_found",
        ("agreement", agreement): "rights.agreement.not_found",
    }
    for (word, name), code in refused.items():
        assert founded("operation", word, name, "--json").refusal == code
