# SPDX-License-Identifier: Apache-2.0
"""A listing goes to a venue elsewhere as a signed document, and its status comes back signed."""

import json
from datetime import timedelta

import pytest
from installations import CITY, REGION, installation, listing

from lingqu import interop, market, trust
from lingqu.interop.documents import Purpose, sign_document
from lingqu.interop.offers import OfferClosed, OfferNotDelivered, StatusDiffers, StatusOlder
from lingqu.interop.peers import BadPeer, PeerKnown
from lingqu.interop.receiving import ListingDiffers, ListingKnown, NotForThisVenue
from lingqu.kernel import canon
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.keys import UnknownSuite
from lingqu.trust import VISITOR, holds, procedures
from registered import earlier

ALTERED = (interop.BadDocument, interop.SignerUnknown, interop.DocumentAltered, UnknownSuite)


def prepared(world, **changes):
    offer = new_id(interop.OfferId)
    world.city.do(
        interop.prepare_offer,
        offer=offer,
        peer=world.to_region,
        party=world.operator,
        listing=listing(**{"registration": world.code} | changes),
    )
    return offer


def signed(world, offer):
    with world.city.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        return interop.signed_offer(tx, world.city.ring, offer)


def hand_in(world, document, command=None):
    return interop.accept_listing(
        world.region.database,
        world.region.ring,
        VISITOR,
        command or new_id(trust.CommandId),
        document,
    )


def move(world, received, name, **given):
    with world.region.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        version = procedures.get_procedure(tx, received.procedure).procedure.version
    world.region.do(
        procedures.move_procedure,
        world.clerk,
        None,
        procedure=received.procedure,
        move=name,
        version=version,
        **given,
    )


def received_of(world, offer):
    with world.region.database.reading(world.clerk) as tx:
        page = interop.find_received_listings(tx, page=PageRequest(), handler=world.venue)
    return next(one for one in page.items if one.offer == offer)


def status_now(world, offer, digest):
    return interop.answer_status(
        world.region.database, world.region.ring, offer=offer, digest=digest
    )


def test_a_listing_is_taken_examined_and_reconciled_with_its_sender(world):
    offer = prepared(world)
    document = signed(world, offer)
    assert document == signed(world, offer), "signing again gives the same document"
    assert json.loads(document)["suite"] == "ed25519-sha256"
    first = hand_in(world, document)
    world.city.do(interop.deliver_signed_offer, offer=offer, document=document, status=first)
    received = received_of(world, offer)
    assert interop.read_received(received) == listing(registration=world.code)
    assert received.procedure.uuid == offer.uuid
    move(world, received, "publish", opinion="材料齐全")
    digest = received.digest
    second = status_now(world, offer, digest)
    after = world.city.do(interop.reconcile_signed_status, offer=offer, status=second)
    assert (after.state, after.reference) == (interop.ListingState.PUBLISHED, received.id)
    with pytest.raises(StatusOlder):
        world.city.do(interop.reconcile_signed_status, offer=offer, status=first)
    move(world, received, "refuse", reason="费用说明不完整")
    last = status_now(world, offer, digest)
    after = world.city.do(interop.reconcile_signed_status, offer=offer, status=last)
    assert (after.state, after.reason) == (interop.ListingState.REFUSED, "费用说明不完整")
    kinds = [one["kind"] for one in world.city.facts() if one["data"].get("offer") == offer]
    assert kinds == [
        "interop.offer.prepared",
        "interop.offer.delivered",
        "interop.offer.reconciled",
        "interop.offer.reconciled",
    ]
    assert world.city.audit() == []
    assert world.region.audit() == []


def test_the_same_document_again_is_one_listing_and_another_one_is_refused(world):
    offer = prepared(world)
    document, command = signed(world, offer), new_id(trust.CommandId)
    first = hand_in(world, document, command)
    assert hand_in(world, document, command) == first
    assert hand_in(world, document) == first
    with pytest.raises(ListingKnown):
        world.region.do(interop.receive_listing, VISITOR, document=document)
    content = json.loads(document)["content"]
    content["listing"]["free_calls"] = 7
    other = sign_document(world.city.ring, CITY, Purpose.LISTING, content)
    with pytest.raises(ListingDiffers) as refusal:
        hand_in(world, other)
    assert refusal.value.parameters["listing"] == received_of(world, offer).id
    refused = world.region.facts("trust.command.refused")[-1]["data"]
    assert (refused["code"], refused["by"]) == (
        "interop.received.differs",
        str(VISITOR.account),
    )


def test_an_altered_misaddressed_or_unknown_document_is_refused_before_it_is_a_command(
    world, place_type, trust_server, tmp_path
):
    offer = prepared(world)
    document = signed(world, offer)
    plain = json.loads(document)
    before = world.region.count("trust.fact")
    altered = plain | {"content": plain["content"] | {"prepared_at": "2020-01-01T00:00:00.000Z"}}
    spaced = json.dumps(plain, ensure_ascii=False)
    stranger = installation(place_type, trust_server, "lingqu.test/stranger", tmp_path / "s")
    try:
        unknown = sign_document(
            stranger.ring, "lingqu.test/stranger", Purpose.LISTING, plain["content"]
        )
        forged = sign_document(stranger.ring, CITY, Purpose.LISTING, plain["content"])
    finally:
        stranger.close()
    elsewhere = plain["content"] | {"venue": "lingqu.test/elsewhere"}
    cases = (
        (canon.encode(altered).decode(), interop.DocumentAltered),
        (spaced, interop.BadDocument),
        ("{}", interop.BadDocument),
        ("[" * 100_000, interop.BadDocument),
        (document.replace(Purpose.LISTING.value, Purpose.STATUS.value), interop.BadDocument),
        (unknown, interop.SignerUnknown),
        (forged, interop.SignerUnknown),
        (
            sign_document(world.city.ring, CITY, Purpose.LISTING, elsewhere),
            NotForThisVenue,
        ),
        (
            sign_document(world.city.ring, CITY, Purpose.LISTING, {"offer": offer}),
            interop.BadListing,
        ),
    )
    for text, refusal in cases:
        with pytest.raises(refusal):
            hand_in(world, text)
    for position in range(0, len(document), 97):
        flipped = chr(ord(document[position]) ^ 1)
        with pytest.raises(ALTERED):
            hand_in(world, document[:position] + flipped + document[position + 1 :])
    assert world.region.count("trust.fact") == before, "strangers write nothing into the log"


def test_a_status_of_another_document_or_signer_is_not_taken_over(world):
    offer, other = prepared(world), prepared(world)
    document = signed(world, offer)
    with pytest.raises(OfferNotDelivered):
        world.city.do(interop.reconcile_signed_status, offer=offer, status="{}")
    status = hand_in(world, document)
    with pytest.raises(StatusDiffers):
        world.city.do(
            interop.deliver_signed_offer,
            offer=other,
            document=signed(world, other),
            status=status,
        )
    told = json.loads(status)["content"]
    forged = sign_document(world.city.ring, REGION, Purpose.STATUS, told)
    with pytest.raises(interop.SignerUnknown):
        world.city.do(interop.deliver_signed_offer, offer=offer, document=document, status=forged)
    closed = world.city.do(interop.close_offer, offer=other)
    assert closed.closed_at is not None
    with pytest.raises(OfferClosed):
        signed(world, other)


def test_what_is_held_is_not_offered_and_who_may_not_see_it_does_not(world):
    place = world.city
    hold = new_id(holds.HoldId)
    place.do(
        holds.place_hold,
        hold=hold,
        subject=world.operator,
        reason=holds.HoldReason.SUPERVISION,
        article="数据安全法 第四十四条",
    )
    with pytest.raises(holds.Held):
        prepared(world)
    place.do(holds.lift_hold, hold=hold)
    offer = prepared(world)
    other = place.account(role=trust.Role.OPERATOR)
    with place.database.reading(other) as tx, pytest.raises(interop.offers.OfferNotFound):
        interop.get_offer(tx, offer)
    own = place.account(world.operator, role=trust.Role.OPERATOR)
    with place.database.reading(own) as tx:
        assert interop.get_offer(tx, offer).id == offer
        page = interop.find_offers(tx, page=PageRequest(size=1), party=world.operator)
        assert (len(page.items), page.next is None) == (1, False)
    with pytest.raises(interop.BadListing):
        prepared(world, operator_code="1")
    with pytest.raises(interop.BadListing):
        prepared(world, title="a\nb")


@pytest.mark.parametrize(
    "url",
    [
        "http://venue.example",
        "ftp://venue.example",
        "https://user:pass@venue.example",
        "https://venue.example/?a=1",
        "https://[",
        "https://",
    ],
)
def test_an_address_that_must_not_be_called_is_refused(world, url):
    key = str(interop.own_key(world.city.ring, "lingqu.test/third"))
    with pytest.raises(BadPeer):
        world.city.do(
            interop.register_peer,
            peer=new_id(interop.PeerId),
            verifier_key=key,
            name="某平台",
            party=world.operator,
            url=url,
        )


def test_a_peer_is_known_once_and_nothing_is_exchanged_after_its_end(world):
    key = str(interop.own_key(world.city.ring, "lingqu.test/fourth"))
    given = {"verifier_key": key, "name": "某平台", "party": world.operator}
    made = world.city.do(interop.register_peer, peer=new_id(interop.PeerId), **given)
    with pytest.raises(PeerKnown):
        world.city.do(interop.register_peer, peer=new_id(interop.PeerId), **given)
    world.city.do(interop.end_peer, peer=made.id)
    with pytest.raises(interop.PeerEnded):
        world.city.do(interop.end_peer, peer=made.id)
    with pytest.raises(interop.PeerEnded):
        world.city.do(
            interop.prepare_offer,
            offer=new_id(interop.OfferId),
            peer=made.id,
            party=world.operator,
            listing=listing(registration=world.code),
        )


def test_what_is_offered_stands_in_the_registry_now_under_the_code_it_names(world):
    for changes, refusal in (
        ({"registration": "GX-DEMO-0001"}, market.listings.NotRegistered),
        ({"product": "prd_01jc0000000000000000000001"}, interop.OtherProduct),
    ):
        with pytest.raises(refusal):
            prepared(world, **changes)
    with (
        earlier(world.city.database, timedelta(days=30)),
        pytest.raises(market.listings.NotRegistered),
    ):
        prepared(world)  # its code came later
    with (
        earlier(world.city.database, timedelta(days=-4_000)),
        pytest.raises(market.listings.NotRegistered),
    ):
        prepared(world)  # its period is over
    assert prepared(world)
