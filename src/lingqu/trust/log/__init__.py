# SPDX-License-Identifier: Apache-2.0
"""The log: every committed fact gets one place in a Merkle tree that anybody can check.

**Sequencing** (`leaves`): facts carry no position. One process at a time places all visible facts
without a leaf at dense indices. **Files** (`tiles`): the tree and its entries become static files,
C2SP tlog-tiles, under `<logs>/<number>/`. **Checkpoints** (`checkpoints`): size and root, signed
only where the last published checkpoint is a prefix; a database or folder that went back in time
raises `LogForked`, and nothing is signed until that is mended or a successor log begins
(`foreign.plan_succession`). **Witnesses** (`witnesses`) cosign, and remember if we forget.
`Sequencer` does all this in a loop; `receipt`, `bundle` and the proofs are what a stranger takes
away; `check_log` is the audit of the log itself. Which keys count is decided by `origins`.

Every own log has a number; the highest is written. Logs of gates are kept as their checkpoints.
"""

from lingqu.trust.evidence import look_through_facts
from lingqu.trust.log.check import LogFault, LogFinding, check_log, take_published
from lingqu.trust.log.checkpoints import (
    LogForked,
    checkpoint_at,
    latest_checkpoint,
    rebuild,
)
from lingqu.trust.log.foreign import (
    check_foreign_key,
    foreign_key,
    next_number,
    plan_succession,
    store_foreign,
)
from lingqu.trust.log.leaves import CHANNEL, sequence
from lingqu.trust.log.origins import (
    LogKey,
    LogUnknown,
    NoSigningKey,
    OwnLog,
    Signers,
    admit_key,
    introduce_key,
    log_signer,
    own_log,
    own_logs,
)
from lingqu.trust.log.receipts import (
    MOST_FACTS,
    NotYetSequenced,
    Receipt,
    bundle,
    consistency,
    inclusion,
    receipt,
    receipts,
)
from lingqu.trust.log.sequencer import LogStatus, Sequencer, log_status
from lingqu.trust.log.tiles import LogFolder
from lingqu.trust.log.witnesses import Witness, witnessed

__all__ = (
    "CHANNEL",
    "MOST_FACTS",
    "LogFault",
    "LogFinding",
    "LogFolder",
    "LogForked",
    "LogKey",
    "LogStatus",
    "LogUnknown",
    "NoSigningKey",
    "NotYetSequenced",
    "OwnLog",
    "Receipt",
    "Sequencer",
    "Signers",
    "Witness",
    "admit_key",
    "bundle",
    "check_foreign_key",
    "check_log",
    "checkpoint_at",
    "consistency",
    "foreign_key",
    "inclusion",
    "introduce_key",
    "latest_checkpoint",
    "log_signer",
    "log_status",
    "look_through_facts",
    "next_number",
    "own_log",
    "own_logs",
    "plan_succession",
    "rebuild",
    "receipt",
    "receipts",
    "sequence",
    "store_foreign",
    "take_published",
    "witnessed",
)
