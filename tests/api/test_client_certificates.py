# SPDX-License-Identifier: Apache-2.0
"""Machines with client certificates, through a real TLS proxy that checks them."""

import base64
import contextlib
import datetime as dt
import http.client
import ipaddress
import socket
import ssl
import threading
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from web_server import running, write

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.runtime.certificates import (
    CertificateUnreadable,
    read_certificate_file,
    read_certificate_header,
)
from lingqu.trust import identity

PROXY_SECRET = "a secret between proxy and platform"
PARTIES = "/api/v1/trust/parties"
UTC = dt.UTC


class Authority:
    """A certificate authority and what it issued, as files a TLS library reads."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "demonstration CA")])
        self.certificate = self._signed(self.name, self.key, days=(-2, 100), is_authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(self, subject, key, *, days, is_authority=False):
        now = dt.datetime.now(UTC)
        begin, end = (now + dt.timedelta(days=number) for number in days)
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, name, days=(-1, 30)):
        """A certificate and its key in one PEM file, and the certificate alone in another."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._signed(subject, key, days=days)
        pem = made.public_bytes(serialization.Encoding.PEM)
        alone, whole = self.folder / f"{name}.crt", self.folder / f"{name}.pem"
        alone.write_bytes(pem)
        whole.write_bytes(
            pem
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return alone, whole


def header(file):
    der = x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(serialization.Encoding.DER)
    return f":{base64.b64encode(der).decode()}:"


class Proxy:
    """A TLS proxy: it asks for a client certificate, removes what clients claim, and hands on."""

    def __init__(self, authority, server_file, target):
        self.target = urlsplit(target)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(server_file)
        self.context.load_verify_locations(authority.file)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listening.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            with (
                plain,
                contextlib.suppress(OSError, ssl.SSLError),
                self.context.wrap_socket(plain, server_side=True) as secure,
                secure.makefile("rb") as stream,
            ):
                self._answer(secure, stream)

    def _answer(self, secure, stream):
        method, path, _ = stream.readline().decode().split()
        given = http.client.parse_headers(stream)
        body = stream.read(int(given.get("content-length", 0)))
        claimed = {"client-cert", "lingqu-proxy-secret", "connection", "host", "accept-encoding"}
        headers = {name: value for name, value in given.items() if name.lower() not in claimed}
        der = secure.getpeercert(binary_form=True)
        headers["Client-Cert"] = f":{base64.b64encode(der).decode()}:"
        headers["Lingqu-Proxy-Secret"] = PROXY_SECRET
        onward = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=20)
        with contextlib.closing(onward):
            onward.request(method, path, body=body, headers=headers)
            answer = onward.getresponse()
            content = answer.read()
        kind = answer.headers.get("content-type", "text/plain")
        head = f"HTTP/1.1 {answer.status} x\r\ncontent-type: {kind}\r\n"
        head += f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        secure.sendall(head.encode() + content)

    def close(self):
        self.listening.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def behind(tmp_path_factory, authority):
    """A server that trusts a proxy on this machine, and the proxy before it."""
    folder = tmp_path_factory.mktemp("behind")
    (folder / "proxy").write_text(PROXY_SECRET)
    (folder / "proxy").chmod(0o600)
    given = {"proxy_addresses": "127.0.0.0/8", "proxy_secret_file": str(folder / "proxy")}
    with running(folder, **given) as made:
        proxy = Proxy(authority, authority.issue("proxy")[1], made.url)
        yield made, proxy.url
        proxy.close()


def machine_account(server, role=trust.Role.MEMBER):
    account = new_id(trust.AccountId)
    kind = trust.AccountKind.MACHINE
    server.execute(trust.open_account, account=account, party=server.party, kind=kind)
    server.execute(
        trust.assign_role,
        assignment=new_id(trust.AssignmentId),
        account=account,
        role=role,
        party=server.party,
    )
    return account


def register(server, account, file):
    with server.machine() as administrator:
        found = read_certificate_file(file)
        body = {
            "certificate": new_id(identity.CertificateId),
            "account": account,
            "fingerprint": found.fingerprint,
            "expires_at": found.not_after.isoformat().replace("+00:00", "Z"),
            "label": "同步程序",
        }
        made = administrator.post("/api/v1/trust/certificates", json=body, headers=write())
    return made, body["certificate"]


def client(authority, whole, url):
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(whole)
    return httpx.Client(base_url=url, verify=context, timeout=30)


def test_a_machine_acts_by_its_certificate_until_it_is_revoked(behind, authority):
    server, proxy = behind
    account = machine_account(server)
    alone, whole = authority.issue("machine")
    with client(authority, whole, proxy) as machine:
        stranger = machine.get(PARTIES)
        assert (stranger.status_code, stranger.json()["code"]) == (401, "trust.certificate.unknown")
        made, certificate = register(server, account, alone)
        assert made.status_code == 201, made.text
        listed = machine.get(PARTIES).json()["items"]
        assert [one["id"] for one in listed] == [server.party]
        with server.machine() as administrator:
            path = f"/api/v1/trust/certificates/{certificate}/revoke"
            assert administrator.post(path, headers=write()).status_code == 200
            assert administrator.post(path, headers=write()).status_code == 409
            shown = administrator.get(f"/api/v1/trust/parties/{server.party}/certificates").json()
            assert certificate in {one["id"] for one in shown["items"]}
        assert machine.get(PARTIES).status_code == 401


def test_what_a_client_claims_in_headers_is_replaced_by_the_proxy(behind, authority):
    server, proxy = behind
    alone, _ = authority.issue("privileged")
    register(server, machine_account(server, trust.Role.ADMINISTRATOR), alone)
    _, other = authority.issue("nobody")
    with client(authority, other, proxy) as machine:
        claimed = {"client-cert": header(alone), "lingqu-proxy-secret": PROXY_SECRET}
        assert machine.get(PARTIES, headers=claimed).status_code == 401


def test_no_client_without_a_certificate_of_the_authority_reaches_the_platform(
    behind, authority, tmp_path
):
    _, proxy = behind
    foreign = Authority(tmp_path).issue("foreign")[1]
    with client(authority, foreign, proxy) as machine, pytest.raises(httpx.TransportError):
        machine.get(PARTIES)
    context = ssl.create_default_context(cafile=str(authority.file))
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{proxy}{PARTIES}", verify=context)


def test_a_certificate_that_did_not_come_through_the_proxy_is_refused(behind, authority):
    server, _ = behind
    alone, _ = authority.issue("direct")
    register(server, machine_account(server), alone)
    good = {"client-cert": header(alone), "lingqu-proxy-secret": PROXY_SECRET}
    assert httpx.get(server.url + PARTIES, headers=good).status_code == 200
    for wrong in (
        {"lingqu-proxy-secret": "another secret"},
        {"lingqu-proxy-secret": ""},
        {"client-cert": "x"},
        {"client-cert": ":AAAA:"},
    ):
        answer = httpx.get(server.url + PARTIES, headers=good | wrong)
        assert answer.status_code in {403, 422}, answer.text
        assert answer.json()["code"].startswith("runtime.certificate.")
    twice = [("client-cert", header(alone)), *good.items()]
    assert httpx.get(server.url + PARTIES, headers=twice).status_code == 403


def test_a_server_that_trusts_no_proxy_takes_no_certificate(server, authority):
    alone, _ = authority.issue("unasked")
    claimed = {"client-cert": header(alone), "lingqu-proxy-secret": PROXY_SECRET}
    answer = httpx.get(server.url + PARTIES, headers=claimed)
    assert (answer.status_code, answer.json()["code"]) == (403, "runtime.certificate.untrusted")


def test_an_expired_certificate_is_neither_registered_nor_taken(behind, authority):
    server, _ = behind
    alone, _ = authority.issue("expired", days=(-2, -1))
    made, _ = register(server, machine_account(server), alone)
    assert (made.status_code, made.json()["code"]) == (422, "trust.certificate.bad")
    claimed = {"client-cert": header(alone), "lingqu-proxy-secret": PROXY_SECRET}
    assert httpx.get(server.url + PARTIES, headers=claimed).status_code == 403
    future, _ = authority.issue("future", days=(1, 3))
    claimed["client-cert"] = header(future)
    assert httpx.get(server.url + PARTIES, headers=claimed).status_code == 403


def test_a_certificate_belongs_to_one_machine(behind, authority):
    server, _ = behind
    alone, _ = authority.issue("once")
    assert register(server, machine_account(server), alone)[0].status_code == 201
    again, _ = register(server, machine_account(server), alone)
    assert (again.status_code, again.json()["code"]) == (409, "trust.certificate.taken")
    person, _ = authority.issue("person")
    refused, _ = register(server, server.accounts["member"], person)
    assert (refused.status_code, refused.json()["code"]) == (422, "trust.certificate.bad")


def test_a_machine_names_the_party_it_acts_for(behind, authority):
    server, _ = behind
    account, other = machine_account(server), new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    server.execute(trust.register_party, party=other, kind=kind, name="浦北县数据局")
    server.execute(
        trust.assign_role,
        assignment=new_id(trust.AssignmentId),
        account=account,
        role=trust.Role.BUYER,
        party=other,
    )
    alone, _ = authority.issue("several")
    register(server, account, alone)
    headers = {"client-cert": header(alone), "lingqu-proxy-secret": PROXY_SECRET}
    both = httpx.get(server.url + PARTIES, headers=headers).json()["items"]
    assert {one["id"] for one in both} == {server.party, other}
    chosen = httpx.get(server.url + PARTIES, headers=headers | {"lingqu-acting-for": other})
    assert [one["id"] for one in chosen.json()["items"]] == [other]
    foreign = headers | {"lingqu-acting-for": new_id(trust.PartyId)}
    refused = httpx.get(server.url + PARTIES, headers=foreign)
    assert (refused.status_code, refused.json()["code"]) == (403, "trust.session.not_acting_for")


@pytest.mark.parametrize("text", ["", ":", "::", ":!:", "AAAA", ":" + "A" * 40_000 + ":", ":é:"])
def test_what_is_no_certificate_is_refused(text, tmp_path):
    with pytest.raises(CertificateUnreadable):
        read_certificate_header(text)
    (tmp_path / "file").write_text(text)
    with pytest.raises(CertificateUnreadable):
        read_certificate_file(tmp_path / "file")


def test_a_chain_or_a_longer_sequence_is_not_one_certificate(authority, tmp_path):
    alone, _ = authority.issue("chain")
    (tmp_path / "chain").write_bytes(alone.read_bytes() + authority.file.read_bytes())
    with pytest.raises(CertificateUnreadable):
        read_certificate_file(tmp_path / "chain")
    der = x509.load_pem_x509_certificate(alone.read_bytes()).public_bytes(
        serialization.Encoding.DER
    )
    with pytest.raises(CertificateUnreadable):
        read_certificate_header(f":{base64.b64encode(der + b'x').decode()}:")
    assert read_certificate_header(header(alone)) == read_certificate_file(alone)
