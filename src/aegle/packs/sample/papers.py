"""Mail and papers of the house: the phishing mail, ordinary mail, policies, manual, advisory."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta

from aegle.packs.sample.intrusion import Intrusion
from aegle.packs.sample.marks import evidence, identifier
from aegle.packs.sample.people import Staff
from aegle.packs.sample.threat import policy
from aegle.packs.sample.words import data, fill, text
from aegle.packs.sample.world import World


def write(world: World, story: Intrusion) -> Iterator[tuple[str, str]]:
    """Path and labelled text of each paper."""
    yield "mail/0001-roster-changes.eml", _phish(story)
    rng = world.rng("mail")
    staff = [person for ward in world.wards for person in (*ward.nurses, ward.attending)]
    for number, (subject, body) in enumerate(data("mails"), start=2):
        sender, reader = rng.sample(staff, 2)
        when = world.start + timedelta(hours=rng.randint(8, 24 * world.days - 8))
        name = f"{number:04d}-{subject.lower().replace(' ', '-')}"
        yield f"mail/{name}.eml", _mail(sender, reader, when, subject, body)
    yield "docs/security_policy.md", _security(world)
    yield "docs/ward_policy_infusion.md", _ward(world)
    yield "docs/infuseline8_manual.html", _manual(world)
    yield "docs/orrin_security_advisory.html", _advisory(world, story)


def _address(person: Staff) -> str:
    mail = identifier("email", f"{person.login}@{data('hospital')['domain']}")
    return f"{identifier('name', person.name)} <{mail}>"


def _date(when: datetime) -> str:
    days, months = "Mon Tue Wed Thu Fri Sat Sun".split(), (
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    )  # fmt: skip
    shown = identifier("date", f"{when.day} {months[when.month - 1]} {when.year}")
    return f"{days[when.weekday()]}, {shown} {when:%H:%M:%S} +0000"


def _mail(sender: Staff, reader: Staff, when: datetime, subject: str, body: str) -> str:
    return (
        f"From: {_address(sender)}\nTo: {_address(reader)}\nSubject: {subject}\n"
        f"Date: {_date(when)}\n"
        f"Message-ID: <{when:%Y%m%d%H%M%S}.{len(subject)}@{data('hospital')['domain']}>\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: 8bit\n\n{body}\n{identifier('name', sender.name)}\n"
        f"{sender.role}, {sender.ward}, pager {identifier('phone', sender.pager)}\n"
    )


def _phish(story: Intrusion) -> str:
    clerk, when = story.clerk, story.times["phish"]
    lure = evidence("lure", f"open {story.document} and press Enable Content")
    attached = base64.b64encode(
        b"This sample attachment holds no macro and no code.\n" * 8
    ).decode()
    return f"""From: Rostering Service <{story.sender}>
To: {_address(clerk)}
Subject: Action needed: roster changes for {clerk.ward}
Date: {_date(when)}
Message-ID: <{when:%Y%m%d%H%M%S}.77@shiftplan.example.com>
Received: from relay.shiftplan.example.com ([{story.c2_ip}])
 by mail01.stbrigid.example.org; {_date(when)}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_roster"

--=_roster
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Dear {identifier("name", clerk.first)},

your shifts on {clerk.ward} were changed. To confirm them before tonight, {lure}.
Shifts that are not confirmed will be given to the pool.

Rostering Service

--=_roster
Content-Type: application/vnd.ms-word.document.macroEnabled.12; name="{story.document}"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="{story.document}"

{textwrap.fill(attached, 76)}
--=_roster--
"""


def _security(world: World) -> str:
    p = policy(world)
    patch = evidence("policy|patch", f"on device gateways within {p['patch_hours']} hours")
    logs = evidence("policy|logs", f"kept for {p['log_days']} days")
    length = evidence("policy|password", f"at least {p['password_length']} characters")
    known = {
        "officer": identifier("name", world.officer.name),
        "hospital": p["hospital"],
        "patch": patch,
        "length": length,
        "logs": logs,
    }
    return fill(text("security_policy.md"), known)


def _ward(world: World) -> str:
    p = policy(world)
    often = evidence("policy|check", f"every {p['check_minutes']} minutes")
    rows = "\n".join(
        f"- {w.code} ({w.title}): gateway {w.slug}-gw01, monitors on {w.slug}-cms01"
        for w in world.wards
    )
    known = {
        "rows": rows,
        "often": often,
    }
    return fill(text("ward_policy_infusion.md"), known)


def _manual(world: World) -> str:
    p = policy(world)
    alarm = evidence("manual|E-217", "E-217 rate deviation: delivered rate differs from the order")
    battery = evidence("manual|battery", f"runs {p['battery_hours']} hours on battery")
    known = {
        "battery": battery,
        "alarm": alarm,
    }
    return fill(text("infuseline8_manual.html"), known)


def _advisory(world: World, story: Intrusion) -> str:
    p = policy(world)
    fixed = evidence("advisory|fixed", f"fixed in gateway release {p['firmware']}")
    bundled = evidence(
        "advisory|product", f"InfuseLink gateways ship {story.flaw.vendor} {story.flaw.product}"
    )
    known = {
        "bundled": bundled,
        "cve": story.flaw.cve,
        "old_firmware": p["old_firmware"],
        "fixed": fixed,
    }
    return fill(text("orrin_security_advisory.html"), known)
