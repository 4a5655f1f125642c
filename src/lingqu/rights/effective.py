# SPDX-License-Identifier: Apache-2.0
"""Effective grants in memory: a check costs the same whatever the size of the tree.

Each grant stands ready as the bits it does not permit. A revocation or a hold is one entry in a
set and one new generation; a grant finds out about it at its next check, by walking its own chain
once, and remembers. `load` reads the database, `hear` takes in what was notified, and whatever a
notice cannot tell is read again by `refresh`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from lingqu.kernel.lattice import Vocabulary
from lingqu.kernel.time import Instant
from lingqu.rights.checks import (
    STANDING_CODES,
    Freshness,
    Limits,
    NotFresh,
    NotListening,
    Request,
    Use,
    Verdict,
    find_outside,
    outside_verdict,
    raise_refused,
    read_limits,
    read_use,
    refuse_stale,
)
from lingqu.rights.grants import EndingKind, GrantNotFound, Standing, read_form, read_terms
from lingqu.rights.notices import CHANNEL, read_notice
from lingqu.rights.vocabulary import load_vocabulary
from lingqu.runtime import Tx
from lingqu.trust import holds, log

USES_MAX = 10_000


_Memo = tuple[int, Verdict | None, Verdict | None]


@dataclass(slots=True)
class _Entry:
    """One grant; `memo` is (generation, if ended, if held) as last found on its chain.

    `others` are what a hold on also suspends it: its ground, its holder, what its chain succeeded.
    """

    root: str
    chain: tuple[str, ...]
    others: tuple[str, ...]
    limits: Limits
    start: Instant | None
    end: Instant | None
    article: str | None
    memo: _Memo = (-1, None, None)


_GRANTS = """
    SELECT g.id, g.ancestors, g.watched, g.ground, g.holder, g.effective, d.articles
    FROM rights.grant g JOIN rights.ground d ON d.id = g.ground
"""
_SOME_GRANTS = f"{_GRANTS} WHERE g.root = ANY(%s)"  # joined from constants
_EPOCHS = "SELECT root, epoch FROM rights.tree"
_ENDINGS = "SELECT grant_id, kind, article FROM rights.ending"
_HELD = """
    SELECT DISTINCT ON (subject) subject, article FROM trust.hold WHERE lifted_at IS NULL
    ORDER BY subject, id
"""


class EffectiveGrants:
    """Every grant of an installation, ready to be checked. Threads may check while one hears."""

    def __init__(self) -> None:
        """Know nothing and permit nothing until `load`."""
        self._vocabulary: Vocabulary | None = None
        self._entries: dict[str, _Entry] = {}
        self._names: dict[str, str] = {}
        self._limits: dict[str, Limits] = {}
        self._ended: dict[str, Verdict] = {}
        self._held: dict[str, Verdict] = {}
        self._epochs: dict[str, int] = {}
        self._wanted: set[str] = set()
        self._codes_wanted = True
        self._asked = False
        self._uses: dict[Use, Request] = {}
        self._log_size = 0
        self._generation = 0
        self._writing = threading.Lock()
        self.listening = False
        """Whether revocations are heard; while False, every check raises NotListening."""
        self.heard_ns = 0
        """When the last sign of life came over the connection that listens, on the steady clock."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def wants_refresh(self) -> bool:
        """Whether something was heard of or asked for that only the database can tell."""
        return self._codes_wanted or self._asked or bool(self._wanted)

    def load(self, tx: Tx) -> None:
        """This will read everything from one state of the database, and count as listening."""
        with self._writing:
            self._vocabulary = load_vocabulary(tx)
            self._limits, self._uses, self._names = {}, {}, {}
            self._entries = {row["id"]: self._entry(row) for row in tx.stream(_GRANTS)}
            self._read_changes(tx)
            self._epochs = {row["root"]: row["epoch"] for row in tx.all(_EPOCHS)}
            self._wanted.clear()
            self._codes_wanted = False
            self._generation += 1
        self.listening = True

    def refresh(self, tx: Tx) -> None:
        """This will read what was heard of but is not known yet, and every ending and hold."""
        if self._codes_wanted or load_vocabulary(tx) is not self._vocabulary:
            self.load(tx)
            return
        with self._writing:
            self._read_changes(tx)
            fresh = {row["root"]: row["epoch"] for row in tx.all(_EPOCHS)}
            behind = [root for root, epoch in fresh.items() if epoch != self._epochs.get(root)]
            for row in tx.all(_SOME_GRANTS, (behind,)):
                if row["id"] not in self._entries:
                    self._entries[row["id"]] = self._entry(row)
            self._epochs = fresh
            self._wanted.clear()
            self._generation += 1

    def hear(self, channel: str, payload: str) -> None:
        """This will take in a notification, at once and without a database."""
        if channel == holds.CHANNEL:
            self._hear_hold(payload)
            return
        notice = read_notice(payload) if channel == CHANNEL else None
        if notice is None:
            return
        with self._writing:
            if notice.root is None:
                self._codes_wanted = True
                return
            if notice.epoch <= self._epochs.get(notice.root, 0):
                return
            if notice.ended is not None:
                kind = Standing.SUCCEEDED if notice.reload else Standing.REVOKED
                self._ended.setdefault(notice.ended, _stopped(kind, notice.article))
                self._generation += 1
            complete = notice.epoch == self._epochs.get(notice.root, 0) + 1
            if complete and not notice.reload and notice.root not in self._wanted:
                self._epochs[notice.root] = notice.epoch
            else:
                self._wanted.add(notice.root)

    def judge(self, grant: str, use: Use, now: Instant) -> Verdict:
        """This will say whether a use is permitted under a grant at `now`.

        Raises NotListening, GrantNotFound (perhaps only not known here yet), UnknownCode.
        """
        if not self.listening:
            raise NotListening
        entry = self._entries.get(grant)
        if entry is None:
            raise GrantNotFound(id=grant[:60])
        request = self._uses.get(use)
        if request is None:
            request = self._prepare(use)
        memo = entry.memo
        if memo[0] != self._generation:
            memo = self._walk(entry)
        if memo[1] is not None:
            return memo[1]
        if entry.end is not None and entry.end <= now:
            return _EXPIRED
        if memo[2] is not None:
            return memo[2]
        if entry.start is not None and now < entry.start:
            return _NOT_BEGUN
        return outside_verdict(find_outside(request, entry.limits), entry.article)

    def find_hold(self, subject: str) -> Verdict | None:
        """This will say by what a thing of another domain is held, None where it is free."""
        return self._held.get(subject)

    def has(self, grant: str) -> bool:
        """Whether the grant is known here."""
        return grant in self._entries

    @property
    def generation(self) -> int:
        """It changes with everything that was heard or read: until then every verdict stands."""
        return self._generation

    def find_end(self, grant: str) -> Instant | None:
        """This will say when a grant ends by itself, None where it does not or is not known."""
        entry = self._entries.get(grant)
        return None if entry is None else entry.end

    def check(
        self, grant: str, use: Use, now: Instant, *, at_least: Freshness | None = None
    ) -> None:
        """This will let a use go on, or raise what refuses it.

        NotFresh asks for a `refresh`: whoever keeps these grants true does it at once, and the
        caller tries again.
        """
        if at_least is not None:
            try:
                refuse_stale(self.freshness(grant), at_least)
            except NotFresh:
                self._asked = True
                raise
        raise_refused(grant, self.judge(grant, use, now))

    def freshness(self, grant: str) -> Freshness:
        """This will say how much is known here of a grant's tree and of the log."""
        entry = self._entries.get(grant)
        epoch = 0 if entry is None else self._epochs.get(entry.root, 0)
        return Freshness(epoch=epoch, log_size=self._log_size)

    def _hear_hold(self, payload: str) -> None:
        with self._writing:
            subject, _, article = payload[1:].partition("\n")
            if payload[:1] != "+":
                # A later hold may already be known: only the database says that it is free.
                self._asked = True
            elif subject not in self._held:
                self._held = {**self._held, subject: _stopped(Standing.HELD, article or None)}
                self._generation += 1
                self._asked = True

    def _walk(self, entry: _Entry) -> _Memo:
        generation, ended, held = self._generation, self._ended, self._held
        dead = [(_is_succession(ended[one]), one) for one in entry.chain if one in ended]
        stops = [one for one in (*entry.chain, *entry.others) if one in held]
        memo = (
            generation,
            ended[min(dead)[1]] if dead else None,
            held[min(stops)] if stops else None,
        )
        entry.memo = memo
        return memo

    def knows_purpose(self, code: str) -> bool:
        """This will say whether the vocabulary has a purpose of that code."""
        return self._vocabulary is not None and code in self._vocabulary.purposes

    def _prepare(self, use: Use) -> Request:
        assert self._vocabulary is not None, "grants are loaded before they are checked"
        request = read_use(self._vocabulary, use)
        if len(self._uses) >= USES_MAX:
            self._uses = {}
        self._uses[use] = request
        return request

    def _read_changes(self, tx: Tx) -> None:
        self._ended = {
            row["grant_id"]: _stopped(
                Standing.REVOKED if row["kind"] == EndingKind.REVOKED.value else Standing.SUCCEEDED,
                row["article"],
            )
            for row in tx.all(_ENDINGS)
        }
        self._held = {
            row["subject"]: _stopped(Standing.HELD, row["article"]) for row in tx.all(_HELD)
        }
        self._log_size = log.log_status(tx).sequenced
        self._asked = False

    def _entry(self, row: dict[str, object]) -> _Entry:
        effective = str(row["effective"])
        assert self._vocabulary is not None, "the trees are read first"
        limits = self._limits.get(effective)
        if limits is None:
            limits = read_limits(self._vocabulary, read_terms(self._vocabulary, effective))
            self._limits[effective] = limits
        valid = read_form(effective).valid
        ancestors, watched, articles = row["ancestors"], row["watched"], row["articles"]
        assert isinstance(ancestors, list), "arrays come as lists"
        assert isinstance(watched, list), "arrays come as lists"
        assert isinstance(articles, list), "arrays come as lists"
        known = self._names
        chain = tuple(known.setdefault(one, one) for one in (*ancestors, str(row["id"])))
        others = (*watched, str(row["ground"]), str(row["holder"]))
        return _Entry(
            root=chain[0],
            chain=chain,
            others=tuple(known.setdefault(one, one) for one in others if one not in chain),
            limits=limits,
            start=None if valid is None else valid.start,
            end=None if valid is None else valid.end,
            article=known.setdefault(articles[0], articles[0]) if articles else None,
        )


def _stopped(standing: Standing, article: str | None) -> Verdict:
    return Verdict(permitted=False, code=STANDING_CODES[standing], article=article)


def _is_succession(verdict: Verdict) -> bool:
    return verdict.code == STANDING_CODES[Standing.SUCCEEDED]


_EXPIRED, _NOT_BEGUN = _stopped(Standing.EXPIRED, None), _stopped(Standing.NOT_BEGUN, None)
