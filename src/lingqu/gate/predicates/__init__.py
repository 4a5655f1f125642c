# SPDX-License-Identifier: Apache-2.0
"""谓词 predicates: what a verification may ask about one subject, as closed values.

A **predicate** looks a value or a row up, or **measures** one fact against declared bounds; several
may be **combined** in one call. A **question** is what one call asks; it reads and checks the
subjects of the call before anything is looked up.
"""

from lingqu.gate.predicates.asking import (
    Answer,
    Asked,
    Asks,
    BadPolicy,
    Characters,
    Combined,
    Combining,
    Enumeration,
    Evidence,
    Fact,
    Matching,
    Measure,
    Named,
    Predicate,
    Question,
    Reads,
    Relation,
    Sample,
    Subject,
    SubjectShape,
    VerificationPolicy,
    Which,
    check_predicates,
    find_relations,
    is_name,
    normalize,
    read_fact,
)

__all__ = (
    "Answer",
    "Asked",
    "Asks",
    "BadPolicy",
    "Characters",
    "Combined",
    "Combining",
    "Enumeration",
    "Evidence",
    "Fact",
    "Matching",
    "Measure",
    "Named",
    "Predicate",
    "Question",
    "Reads",
    "Relation",
    "Sample",
    "Subject",
    "SubjectShape",
    "VerificationPolicy",
    "Which",
    "check_predicates",
    "find_relations",
    "is_name",
    "normalize",
    "read_fact",
)
