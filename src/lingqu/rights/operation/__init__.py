# SPDX-License-Identifier: Apache-2.0
"""公共数据授权运营 authorised operation: from the scheme to the operator's grant.

A **scheme** (实施方案, twelve items) of an implementing body is decided on collectively and filed;
a **selection** finds the operator by a fair way, with publicity; an **agreement** (thirteen items)
is signed by both on one digest and filed. Filing it issues the operator's grant in the same
transaction: a child of the implementing body's own, resting on the agreement, as narrow as it says.
Every product grant of the operator is a child of that one (`rights.issue_grant`).

Each runs on a chart of its own (`charts/`). What only moves a procedure (deciding, filing a scheme,
giving back) is `trust.procedures.move_procedure`; here are the commands that change more.
"""

from pathlib import Path

from lingqu.rights.operation.agreements import (
    Agreement,
    AgreementId,
    AgreementNotFound,
    AgreementNotSignable,
    AgreementState,
    BeyondScheme,
    Offer,
    OtherText,
    draft_agreement,
    end_agreement,
    file_agreement,
    find_agreement_of_grant,
    find_agreements,
    get_agreement,
    revise_agreement,
    sign_agreement,
)
from lingqu.rights.operation.papers import agreement_paper, scheme_paper
from lingqu.rights.operation.schemes import (
    Consent,
    ConsentMissing,
    Mode,
    Plan,
    Scheme,
    SchemeId,
    SchemeNotFiled,
    SchemeNotFound,
    SchemeState,
    draft_scheme,
    find_schemes,
    get_scheme,
    revise_scheme,
)
from lingqu.rights.operation.selections import (
    Selection,
    SelectionId,
    SelectionState,
    Way,
    choose_operator,
    find_selections,
    get_selection,
    object_to_selection,
    open_selection,
)
from lingqu.trust import procedures

CHARTS = procedures.provide_charts(Path(__file__).parent / "charts")
"""The charts of schemes, selections and agreements."""

__all__ = (
    "Agreement",
    "AgreementId",
    "AgreementNotFound",
    "AgreementNotSignable",
    "AgreementState",
    "BeyondScheme",
    "Consent",
    "ConsentMissing",
    "Mode",
    "Offer",
    "OtherText",
    "Plan",
    "Scheme",
    "SchemeId",
    "SchemeNotFiled",
    "SchemeNotFound",
    "SchemeState",
    "Selection",
    "SelectionId",
    "SelectionState",
    "Way",
    "agreement_paper",
    "choose_operator",
    "draft_agreement",
    "draft_scheme",
    "end_agreement",
    "file_agreement",
    "find_agreement_of_grant",
    "find_agreements",
    "find_schemes",
    "find_selections",
    "get_agreement",
    "get_scheme",
    "get_selection",
    "object_to_selection",
    "open_selection",
    "revise_agreement",
    "revise_scheme",
    "scheme_paper",
    "sign_agreement",
)
