"""Ordinary days on the computers: Linux system logs and Windows events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from aegle.packs.sample import formats
from aegle.packs.sample.formats import DOMAIN, Entry
from aegle.packs.sample.logs_network import SITES, burst, moment
from aegle.packs.sample.people import Staff
from aegle.packs.sample.world import Host, World

_JOBS: Final = (
    ("CRON[{pid}]", "(root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily)"),
    ("CRON[{pid}]", "(root) CMD (/usr/local/bin/rotate-audit --keep {n})"),
    ("systemd[1]", "Started Daily apt download activities."),
    ("systemd[1]", "logrotate.service: Succeeded."),
    ("chronyd[612]", "Selected source 10.20.3.5"),
    ("kernel", "[{pid}.{n}] eth0: link up, 1000 Mbps, full duplex"),
    ("rsyslogd", "-- MARK --"),
    ("systemd[1]", "session-{n}.scope: Deactivated successfully."),
    ("snmpd[744]", "Connection from UDP: [10.20.3.40]:{pid}->[{ip}]:161"),
)
_PROGRAMS: Final = (
    (r"C:\Program Files\EHR\EhrClient.exe", "EhrClient.exe /ward {ward}"),
    (r"C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE", "OUTLOOK.EXE"),
    (r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe", "msedge.exe"),
    (r"C:\Windows\System32\svchost.exe", "svchost.exe -k netsvcs -p -s wuauserv"),
    (r"C:\Windows\System32\taskhostw.exe", "taskhostw.exe Install $(Arg0)"),
    (r"C:\Windows\System32\spoolsv.exe", "spoolsv.exe"),
)  # fmt: skip


def lines(world: World) -> Iterator[Entry]:
    """Every line of ordinary days, in no order."""
    for host in world.hosts:
        rng = world.rng(f"host/{host.name}")
        yield from _windows(rng, world, host) if host.windows else _linux(rng, world, host)


def _linux(rng: random.Random, world: World, host: Host) -> Iterator[Entry]:
    path = formats.syslog_path(host, world.start.year)

    def line(when: datetime, program: str, text: str) -> Entry:
        return Entry(path, when, formats.syslog(when, host.name, program, text))

    # The daily jobs of 06:25, and a few runs at other times.
    starts = [world.start + timedelta(days=day, hours=6, minutes=25) for day in range(world.days)]
    starts += [moment(rng, world, busy=False) for _ in range(world.days * 2)]
    for when in (at for start in starts for at in burst(rng, start, 7)):
        program, text = rng.choice(_JOBS)
        known = {"pid": rng.randint(1000, 32000), "n": rng.randint(2, 900), "ip": host.ip}
        yield line(when, program.format(**known), text.format(**known))
    for _ in range(world.days * 2):
        when, pid = moment(rng, world), rng.randint(1000, 32000)
        who, source = world.admin.login, "10.20.3.40"
        accepted = (
            f"Accepted publickey for {who} from {source} port {rng.randint(40000, 60000)} ssh2"
        )
        yield line(when, f"sshd[{pid}]", accepted)
        session = f"session opened for user {who} by (uid=0)"
        yield line(when, f"sshd[{pid}]", f"pam_unix(sshd:session): {session}")
        after = when + timedelta(minutes=rng.randint(1, 20))
        shown = "PWD=/root ; USER=root ; COMMAND=/usr/bin/journalctl -u"
        yield line(after, "sudo", f"{who} : TTY=pts/1 ; {shown} {host.service}")
    if rng.random() < 0.4:
        when = moment(rng, world)
        failed = f"Failed password for {rng.choice(('root', world.admin.login))} from 10.20.3.40"
        yield line(when, "sshd[2201]", f"{failed} port 52200 ssh2")


def _users(world: World, host: Host) -> list[Staff]:
    if host.ward:
        ward = world.ward(host.ward)
        return [*ward.nurses, ward.attending, ward.clerk]
    return [world.engineer] if "BIOMED" in host.name else [world.admin]


def _windows(rng: random.Random, world: World, host: Host) -> Iterator[Entry]:
    path, users = formats.windows_path(host), _users(world, host)

    def event(when: datetime, event_id: int, **fields: str) -> Entry:
        return Entry(path, when, formats.windows(when, host, event_id, fields))

    for _ in range(world.days * (3 if host.name.startswith("WS-") else 2)):
        when, user = moment(rng, world), rng.choice(users).login
        if rng.random() < 0.12:
            yield event(when - timedelta(seconds=9), 4625, TargetUserName=user,
                        TargetDomainName=DOMAIN, LogonType="2", Status="0xc000006d")  # fmt: skip
        yield event(when, 4624, TargetUserName=user, TargetDomainName=DOMAIN, LogonType="2",
                    IpAddress="127.0.0.1", LogonProcessName="User32")  # fmt: skip
        for image, command in rng.sample(_PROGRAMS, 2):
            when += timedelta(seconds=rng.randint(2, 45))
            yield event(when, 1, Image=image, CommandLine=command.format(ward=host.ward or "all"),
                        ParentImage=r"C:\Windows\explorer.exe", User=f"{DOMAIN}\\{user}",
                        ProcessId=str(rng.randrange(500, 9000)))  # fmt: skip
        if rng.random() < 0.5:
            yield event(when, 22, Image=_PROGRAMS[2][0], QueryName=rng.choice(SITES))
        if rng.random() < 0.3:
            name = rf"C:\Users\{user}\Documents\handover_{rng.randrange(100)}.docx"
            yield event(when, 11, Image=_PROGRAMS[1][0], TargetFilename=name)
