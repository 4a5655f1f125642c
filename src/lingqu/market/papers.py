# SPDX-License-Identifier: Apache-2.0
"""证书与合同文本: what the 产品登记证书 and the printed contract say, for whoever draws them."""

from __future__ import annotations

from types import MappingProxyType

from lingqu import rights
from lingqu.kernel.values import Plain
from lingqu.market.contract_text import DUTY_ACTIONS, public_text, read_text
from lingqu.market.contracts import Contract, ContractId, find_signatures, get_contract
from lingqu.market.fees import Answer, FeeSchedule
from lingqu.market.listings import (
    Listing,
    ListingId,
    ListingNotFound,
    ProductForm,
    get_listing,
)
from lingqu.market.members import MEMBERS, Member
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day
from lingqu.trust import rulebook

_SCOPE_MAX = 300
_FORMS = {
    ProductForm.VERIFICATION: "核验",
    ProductForm.COUNT: "统计",
    ProductForm.OPEN_FILE: "开放文件",
    ProductForm.QUERY: "统计查询",
}
_ANSWERS = {Answer.YES: "是", Answer.NO: "否", Answer.UNKNOWN: "未知"}
_DUTIES = {rights.ObligationKind.DELETE: "删除数据", rights.ObligationKind.REPORT: "报告使用情况"}
_STARTS = {rights.ClockStart.ISSUED: "合约生效", rights.ClockStart.ENDED: "合约终止"}


def certificate_paper(tx: Tx, listing: ListingId, *, link: str) -> documents.Paper:
    """This will give what a 产品登记证书 says; `link` is where it can be checked, drawn as QR.

    Raises ListingNotFound where no certificate was issued.
    """
    held = get_listing(tx, listing)
    if held.certificate is None or held.certified_at is None:
        raise ListingNotFound(id=listing)
    seller = _seller(tx, held)
    issued = local_day(held.certified_at).isoformat()
    data: dict[str, Plain] = {
        "issuer": get_venue(tx, held.venue).name,
        "number": held.certificate,
        "dated_on": issued,
        "link": link,
        "holder": seller.name,
        "identity": seller.code,
        "title": held.title,
        "kind": f"数据产品（{_FORMS[held.form]}）",
        "scope": held.summary[:_SCOPE_MAX],
        "ground": rulebook.of(tx).ground("trade.listing_steps").rule.citation,
        "starts_on": issued,
        "ends_on": local_day(held.registered_until).isoformat(),
        "code": held.code,
    }
    return documents.Paper(
        template="product_certificate",
        data=MappingProxyType(data),
        subject=listing,
        sealers=(held.venue,),
    )


def contract_paper(tx: Tx, contract: ContractId) -> documents.Paper:
    """This will give what the printed contract says; its digest is that of the signed text."""
    held = get_contract(tx, contract)
    text = read_text(held.text)
    seller, buyer = (one["signatoryEntityName"] for one in text["signatories"])
    data: dict[str, Plain] = {
        "number": held.id,
        "first_party": seller,
        "second_party": buyer,
        "subject": text["contractName"],
        "recital": text["contractAbstract"],
        "starts_on": local_day(held.starts_at).isoformat(),
        "ends_on": local_day(held.ends_at).isoformat(),
        "clauses": [*_clauses(tx, held)],
        "digest": held.digest,
    }
    if held.deposit:
        data["price"] = {"currency": held.schedule.currency, "minor": held.deposit}
    if held.finalized_at is not None:
        data["dated_on"] = local_day(held.finalized_at).isoformat()
    return documents.Paper(
        template="agreement",
        data=MappingProxyType(data),
        subject=contract,
        sealers=(held.seller, held.buyer),
    )


def contract_document(tx: Tx, contract: ContractId) -> dict[str, object]:
    """This will give a contract with state and signatures in the words of TC609-6-2025-14.

    Raises ContractNotFound.
    """
    held = get_contract(tx, contract)
    signed = [
        (one.party, one.digest, one.signed_at.isoformat()) for one in find_signatures(tx, contract)
    ]
    return public_text(held.text, status=held.status, signed=signed)


def fee_lines(fees: FeeSchedule) -> tuple[str, ...]:
    """This will say a fee schedule in Chinese, a line for each part."""
    if fees.highest_minor == 0:
        return ("免费提供。",)
    billed = "、".join(_ANSWERS[one] for one in fees.billed)
    lines = [f"每次应答收费{_yuan(fees.unit_price_minor)}元，计费应答：{billed}。"]
    if fees.free_calls:
        lines.append(f"前{fees.free_calls}次计费应答免费。")
    lines += [
        f"第{tier.above + 1}次计费应答起，每次{_yuan(tier.unit_price_minor)}元。"
        for tier in fees.tiers
    ]
    return tuple(lines)


def _clauses(tx: Tx, held: Contract) -> list[str]:
    labels = {
        one.code: one.zh for one in rights.find_codes(tx) if one.tree is rights.TreeName.PURPOSES
    }
    purposes = "、".join(labels.get(one, one) for one in held.purposes)
    text = read_text(held.text)["expansionItem"]
    code, number = text["registration"], text["certificate"]
    frozen = _yuan(held.deposit)
    clauses = [
        f"标的：数据产品 {held.product}，登记结果查询码 {code}，产品登记证书 {number}。",
        f"用途：仅限{purposes}，不得用于其他用途，不得转授权。",
        f"用量：不超过{held.quota}次调用。",
        "收费：" + "".join(fee_lines(held.schedule)),
        f"资金：签约时冻结乙方资金{frozen}元，按实际应答扣取，合约终止时未扣取部分退回乙方。",
    ]
    for duty in held.owed:
        assert duty.kind in DUTY_ACTIONS
        clauses.append(
            f"义务：乙方应在{_STARTS[duty.starts]}后{duty.days}日内{_DUTIES[duty.kind]}。"
        )
    clauses.append("乙方已签署用途承诺；双方对本合约同一电子文本的摘要签名后，合约成立并生效。")
    return clauses


def _seller(tx: Tx, listing: Listing) -> Member:
    found = MEMBERS.find(
        tx,
        "WHERE venue = %s AND party = %s AND decided_at IS NOT NULL AND state <> 'refused'"
        " ORDER BY id DESC LIMIT 1",
        (listing.venue, listing.seller),
    )
    assert found, "a seller was admitted before it applied"
    return found[0]


def _yuan(minor: int) -> str:
    whole, cents = divmod(minor, 100)
    return f"{whole}.{cents:02d}"
