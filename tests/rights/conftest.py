# SPDX-License-Identifier: Apache-2.0
"""Grounds, holders and trees of grants in an installation."""

import hashlib
import sys
from pathlib import Path

import pytest

from lingqu import rights, trust
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, holds

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)


def digest(text):
    return hashlib.sha256(text.encode()).digest()


class Tree:
    """Acts in a place, with terms in short words."""

    def __init__(self, place):
        self.place = place
        self.holder = place.party("钦州市数据局")

    def do(self, *words, **named):
        return self.place.do(*words, **named)

    def ground(self, *, kind=rights.GroundKind.DUTY, articles=("广西条例 第一条",), **named):
        made = self.do(
            rights.record_ground,
            ground=new_id(rights.GroundId),
            kind=kind,
            title="授权运营协议",
            party=self.holder,
            evidence=digest("agreement"),
            articles=articles,
            **named,
        )
        return made.id

    def root(self, terms=None, *, kind=rights.GrantKind.HOLDING, ground=None, **named):
        return self.do(
            rights.issue_root,
            grant=new_id(rights.GrantId),
            ground=ground or self.ground(),
            holder=named.pop("holder", self.holder),
            kind=kind,
            terms=terms or TermsForm(),
            **named,
        )

    def child(self, parent, terms=None, caller=LOCAL_ADMINISTRATOR, **named):
        return self.do(
            rights.issue_grant,
            caller,
            grant=named.pop("grant", None) or new_id(rights.GrantId),
            parent=getattr(parent, "id", parent),
            holder=named.pop("holder", self.holder),
            kind=named.pop("kind", rights.GrantKind.USING),
            terms=terms or TermsForm(),
            **named,
        )

    def revoke(self, grant, caller=LOCAL_ADMINISTRATOR, **named):
        return self.do(
            rights.revoke_grant,
            caller,
            grant=getattr(grant, "id", grant),
            cause=named.pop("cause", rights.RevocationCause.MISCONDUCT),
            **named,
        )

    def hold(self, subject, article="网络数据安全管理条例 第五十二条"):
        return self.do(
            holds.place_hold,
            hold=new_id(holds.HoldId),
            subject=str(getattr(subject, "id", subject)),
            reason=holds.HoldReason.SUPERVISION,
            article=article,
        )

    def lift(self, hold):
        return self.do(holds.lift_hold, hold=hold.id)

    def life(self, grant):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            return rights.find_life(tx, rights.get_grant(tx, getattr(grant, "id", grant)))

    def judge(self, grant, use):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            return rights.judge_use(tx, grant=getattr(grant, "id", grant), use=use)

    def get(self, grant):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            return rights.get_grant(tx, getattr(grant, "id", grant))

    def cache(self):
        grants = rights.EffectiveGrants()
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            grants.load(tx)
        return grants

    @staticmethod
    def use(**changes):
        given = {
            "purpose": "research.academic",
            "action": "use.query",
            "territory": "450700",
            "environment": "domain.gate",
            "recipient": "bank",
            "fields": ("company.name",),
            "level": 2,
        }
        return rights.Use(**given | changes)

    @staticmethod
    def only(*allowed, without=()):
        return ScopeForm(allowed=allowed, prohibited=without)


@pytest.fixture
def tree(place):
    return Tree(place)


@pytest.fixture(scope="session")
def tree_type():
    """For modules whose tests share one installation."""
    return Tree


@pytest.fixture
def member(tree):
    """A party with someone who acts for it."""

    def make(name="平台公司"):
        party = tree.place.party(name)
        return party, tree.place.account(party, role=trust.Role.MEMBER)

    return make
