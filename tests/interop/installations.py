# SPDX-License-Identifier: Apache-2.0
"""Hides how the tests of interop get an installation with keys, and a listing."""

from lingqu import interop, trust
from lingqu.kernel.money import Money
from lingqu.runtime import new_id
from lingqu.runtime.keys import Keyring, Unlock, create_key_file
from lingqu.trust import PLATFORM
from lingqu_verify.notes import SignerKey

CITY, REGION = "lingqu.test/city", "lingqu.test/region"


def listing(**changes):
    told = {
        "product": "prd_01jc0000000000000000000000",
        "title": "乡镇区划代码核验（演示）",
        "summary": "核验一个九位代码在某日是否有效",
        "form": "verification",
        "operator": "〈钦州数据运营公司〉（演示）",
        "operator_code": "91450700MA5DEMO018",
        "registration": "GX-DEMO-0001",
        "fees": (interop.Fee(item="核验", unit="次", price=Money(20, "CNY")),),
        "free_calls": 100,
        "is_miss_billed": True,
        "certificates": (interop.Certificate(name="登记证书", sha256="ab" * 32),),
    }
    return interop.Listing(**(told | changes))


def ring_in(folder):
    folder.mkdir()
    create_key_file(folder / "unlock")
    return Keyring.open(folder / "keys", Unlock.from_key_file(folder / "unlock"))


def installation(place_type, server, origin, folder):
    place = place_type(server)
    place.do(
        trust.found_installation,
        PLATFORM,
        installation=new_id(trust.InstallationId),
        origin=origin,
        verifier_key=str(SignerKey(name=origin, seed=b"k" * 32).verifier),
        story_from=None,
    )
    place.ring = ring_in(folder)
    place.origin = origin
    return place
