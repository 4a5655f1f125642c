# SPDX-License-Identifier: Apache-2.0
"""产权 rights: grounds, and the tree of grants that grows from them.

A **ground** (duty, registration, contract, consent) is why somebody may have a right at all. A
**grant** gives one of the three rights (持有权, 使用权, 经营权) to a holder; a child's effective
terms are its parent's met with its own, computed once and stored, so a grant is never wider than
the one above it. Rows never change: *revoke* ends a whole subtree with one row, *narrow* and
*adopt* end a grant and issue successors. Whoever changes a tree locks it first. `check_grant` walks
a grant in the database; `EffectiveGrants` answers the same from memory and hears of every
revocation and hold in the instant it commits.

What may be used and how much of it stands in `rights.quantities`, what is owed in
`rights.obligations`; how an operator comes to its grant in `rights.operation`, the two registries
in `rights.registry`. Start reading in `grants`, then `issuing`, `endings`, `checks`, `effective`.
"""

from lingqu.rights import (
    exchange,
    operation,  # noqa: F401 - its tables and commands belong to the package
)
from lingqu.rights.checks import (
    BorderClosed,
    Freshness,
    NotFresh,
    NotListening,
    Use,
    UseOutside,
    Verdict,
    check_grant,
    get_freshness,
    judge_use,
    refusal_of,
)
from lingqu.rights.effective import EffectiveGrants
from lingqu.rights.endings import (
    NothingNarrowed,
    RevocationCause,
    RootNotAdopted,
    Succession,
    adopt_children,
    end_grant,
    narrow_grant,
    revoke_grant,
)
from lingqu.rights.explain import (
    Explained,
    explain_grant,
    explanation_lines,
    terms_in_words,
)
from lingqu.rights.family import Family, Relative, find_family, find_lives
from lingqu.rights.grants import (
    BEGETS,
    Ending,
    EndingKind,
    Grant,
    GrantExpired,
    GrantHeld,
    GrantId,
    GrantKind,
    GrantNotBegun,
    GrantNotFound,
    GrantRevoked,
    GrantSucceeded,
    GrantTaken,
    Life,
    Standing,
    find_grants,
    find_life,
    get_grant,
    read_form,
    refuse_dead,
)
from lingqu.rights.grounds import (
    BadGround,
    Ground,
    GroundId,
    GroundKind,
    GroundNotFound,
    PartyUnknown,
    get_ground,
    record_ground,
)
from lingqu.rights.issuing import (
    BorderNotAssessed,
    GrantsNothing,
    KindNotBegotten,
    TooDeep,
    begin_grant,
    issue_grant,
    issue_root,
)
from lingqu.rights.obligations import ClockStart, Duty, ObligationKind
from lingqu.rights.quantities import Quantity
from lingqu.rights.statements import Statement, StatementMissing, StatementUnknown
from lingqu.rights.vocabulary import (
    Code,
    CodeTaken,
    Label,
    TreeName,
    find_codes,
    load_vocabulary,
    register_code,
)
from lingqu.rights.watching import watching

__all__ = (
    "BEGETS",
    "BadGround",
    "BorderClosed",
    "BorderNotAssessed",
    "ClockStart",
    "Code",
    "CodeTaken",
    "Duty",
    "EffectiveGrants",
    "Ending",
    "EndingKind",
    "Explained",
    "Family",
    "Freshness",
    "Grant",
    "GrantExpired",
    "GrantHeld",
    "GrantId",
    "GrantKind",
    "GrantNotBegun",
    "GrantNotFound",
    "GrantRevoked",
    "GrantSucceeded",
    "GrantTaken",
    "GrantsNothing",
    "Ground",
    "GroundId",
    "GroundKind",
    "GroundNotFound",
    "KindNotBegotten",
    "Label",
    "Life",
    "NotFresh",
    "NotListening",
    "NothingNarrowed",
    "ObligationKind",
    "PartyUnknown",
    "Quantity",
    "Relative",
    "RevocationCause",
    "RootNotAdopted",
    "Standing",
    "Statement",
    "StatementMissing",
    "StatementUnknown",
    "Succession",
    "TooDeep",
    "TreeName",
    "Use",
    "UseOutside",
    "Verdict",
    "adopt_children",
    "begin_grant",
    "check_grant",
    "end_grant",
    "exchange",
    "explain_grant",
    "explanation_lines",
    "find_codes",
    "find_family",
    "find_grants",
    "find_life",
    "find_lives",
    "get_freshness",
    "get_grant",
    "get_ground",
    "issue_grant",
    "issue_root",
    "judge_use",
    "load_vocabulary",
    "narrow_grant",
    "read_form",
    "record_ground",
    "refusal_of",
    "refuse_dead",
    "register_code",
    "revoke_grant",
    "terms_in_words",
    "watching",
)
