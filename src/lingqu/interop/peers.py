# SPDX-License-Identifier: Apache-2.0
"""Which other installations are known, by which key, and what they may do with this one.

A peer is registered by a person who compared the fingerprint of its key by another way. With an
address we may call it; with a handler, one of our parties, it may hand listings in, which that
party then examines.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust import log as logs
from lingqu_verify.notes import VerifierKey

NAME_MAX = 100
URL_MAX = 300


class PeerId(Id):
    """The id of one other installation, as it is known here."""

    prefix = "per"


class PeerNotFound(errors.NotFound):
    """There is no such peer."""

    code = "interop.peer.not_found"


class PeerKnown(errors.Conflict):
    """An installation of this origin is known already; end that peer first."""

    code = "interop.peer.known"


class PeerEnded(errors.Conflict):
    """The peer has ended: nothing is sent to it or taken from it any more."""

    code = "interop.peer.ended"


class BadPeer(errors.Rejected):
    """A name is empty or too long, or an address is not one that may be called."""

    code = "interop.peer.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another installation. `party` runs it; `handler` is who examines here what it hands in."""

    id: PeerId
    origin: str
    name: str
    verifier_key: str
    party: trust.PartyId
    url: str | None
    handler: trust.PartyId | None
    registered_at: Instant
    ended_at: Instant | None = None
    version: int = 1


PEERS = trust.Table("interop.peer", Peer, not_found=PeerNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRegistered(trust.Fact):
    """Another installation became known by its key."""

    kind = "interop.peer.registered"
    peer: PeerId
    origin: str
    key: str
    party: trust.PartyId
    handler: trust.PartyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWasEnded(trust.Fact):
    """Nothing is sent to another installation or taken from it any more."""

    kind = "interop.peer.ended"
    peer: PeerId


@trust.command("interop.peer.register")
def register_peer(
    tx: Tx,
    *,
    peer: PeerId,
    verifier_key: str,
    name: str,
    party: trust.PartyId,
    url: str | None = None,
    handler: trust.PartyId | None = None,
) -> Peer:
    """This will make another installation known by its key (a C2SP vkey that bears its origin).

    Raises BadForeignLog where it is no key, PeerKnown, BadPeer, PartyNotFound, IdTaken.
    """
    origin = verifier_key.partition("+")[0].strip()
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 15))", (origin,))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PEER)
    key = logs.check_foreign_key(origin, verifier_key)
    if origin == trust.get_installation(tx).origin or find_peer(tx, origin=origin) is not None:
        raise PeerKnown(origin=origin[:80])
    for one in (party, handler):
        if one is not None:
            trust.get_party(tx, one)
    made = Peer(
        id=peer,
        origin=origin,
        name=_checked_name(name),
        verifier_key=str(key),
        party=party,
        url=None if url is None else _checked_url(url),
        handler=handler,
        registered_at=tx.now,
    )
    PEERS.insert(tx, made)
    trust.record(
        tx,
        PeerRegistered(peer=peer, origin=origin, key=key.fingerprint, party=party, handler=handler),
    )
    return made


@trust.command("interop.peer.end")
def end_peer(tx: Tx, *, peer: PeerId) -> Peer:
    """This will stop all exchange with a peer; what came stays. Raises PeerNotFound, PeerEnded."""
    held = PEERS.lock(tx, peer)
    trust.authorize(tx, trust.Action.END, trust.Kind.PEER)
    if held.ended_at is not None:
        raise PeerEnded(peer=peer)
    ended = PEERS.update(tx, held, ended_at=tx.now)
    trust.record(tx, PeerWasEnded(peer=peer))
    return ended


def get_peer(tx: Tx, peer: PeerId) -> Peer:
    """This will read a peer; who is connected with whom is public. Raises PeerNotFound."""
    return PEERS.get(tx, peer)


def find_peers(tx: Tx, *, page: PageRequest) -> Page[Peer]:
    """This will list peers, newest first, ended ones too; they are public."""
    tail = "WHERE (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    found = PEERS.find(tx, tail, (page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def find_peer(tx: Tx, *, origin: str) -> Peer | None:
    """This will find the living peer of an origin."""
    found = PEERS.find(tx, "WHERE origin = %s AND ended_at IS NULL", (origin,))
    return found[0] if found else None


def living_peer(tx: Tx, peer: PeerId) -> Peer:
    """This will read a peer that has not ended. Raises PeerNotFound, PeerEnded."""
    found = PEERS.get(tx, peer)
    if found.ended_at is not None:
        raise PeerEnded(peer=peer)
    return found


def key_of(peer: Peer) -> VerifierKey:
    """This will give the key a peer's documents are checked with."""
    return VerifierKey.parse(peer.verifier_key)


def _checked_name(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise BadPeer(part="name")
    return name


def _checked_url(text: str) -> str:
    """HTTPS, or plain HTTP on this machine alone; no credentials, no query."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadPeer(part="url") from None
    plain = parts.scheme == "http" and _is_loopback(host)
    odd = parts.username or parts.password or parts.query or parts.fragment or port == 0
    if len(url) > URL_MAX or not url.isprintable() or not host or odd:
        raise BadPeer(part="url")
    if parts.scheme != "https" and not plain:
        raise BadPeer(part="url")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
