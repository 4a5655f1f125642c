# SPDX-License-Identifier: Apache-2.0
"""Before the story: its actors are registered, and those a visitor can be get a password."""

from __future__ import annotations

from pathlib import Path

from lingqu import trust
from lingqu.cli.accounts import new_password
from lingqu.cli.story.actors import Actor
from lingqu.cli.story.stage import Stage
from lingqu.runtime.blobs import replace_file
from lingqu.trust import Role, identity

ACCOUNTS = "demo-accounts.txt"


def register_actors(stage: Stage) -> None:
    """Register every body with its code, and the person who acts for it with the roles held."""
    stage.on("2025-03-03")
    passwords = open_passwords(stage)
    for actor in stage.cast.values():
        stage.do(
            "machine",
            actor.key,
            identity.register_organization,
            party=stage.party(actor.key),
            name=actor.name,
            kind=actor.kind,
            region=actor.region,
            code=actor.code,
            level=actor.level,
        )
        for person, roles in actor.people.items():
            _open(stage, actor, person, passwords.get(actor.login or ""))
            _assign(stage, actor, person, roles)
    stage.beat("machine", "opening.actors", bodies=len(stage.cast), logins=len(passwords))


def _open(stage: Stage, actor: Actor, person: str, secret: str | None) -> None:
    """Open a person's account; the first of a body is who signs in."""
    account, shown = stage.account(person), person == actor.key and secret is not None
    stage.do(
        "machine",
        person,
        trust.open_account,
        account=account,
        party=stage.party(actor.key),
        kind=trust.AccountKind.PERSON,
        login=actor.login if shown else None,
        password=trust.hash_password(secret) if shown and secret else None,
    )


def _assign(stage: Stage, actor: Actor, person: str, roles: tuple[Role, ...]) -> None:
    for role in roles:
        name = f"{person}/{role.value}"
        stage.do(
            "machine",
            name,
            trust.assign_role,
            assignment=stage.id(trust.AssignmentId, name),
            account=stage.account(person),
            role=role,
            party=stage.party(actor.key),
        )


def open_passwords(stage: Stage) -> dict[str, str]:
    """This will give the password of each login of this folder; they are made once and kept."""
    file = accounts_file(stage.app.settings.data_dir)
    known = read_passwords(file)
    wanted = [actor.login for actor in stage.cast.values() if actor.login is not None]
    if set(known) != set(wanted):
        known = {login: known.get(login) or new_password() for login in wanted}
        text = "".join(f"{login}\t{password}\n" for login, password in known.items())
        replace_file(file, text.encode(), mode=0o600)
    return known


def accounts_file(folder: Path) -> Path:
    """This will give the file in which a data folder keeps its passwords, for its owner alone."""
    return folder / ACCOUNTS


def read_passwords(file: Path) -> dict[str, str]:
    """This will read login and password, one a line; nothing where there is no file yet."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("\t") for line in lines)
    return {login: password for login, _, password in pairs if login and password}
