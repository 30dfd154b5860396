"""What sudo, su, sshd, PAM and cron write: who, as whom, what was run, and on which host."""

from __future__ import annotations

import io

import pytest
from test_reader_logs import ties
from test_security_relations import told

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.lines import LogLinesReader
from aegle.packs.cybersecurity.readers.syslog import SyslogReader

SUDO = "sudo:     jdoe : TTY=pts/0 ; PWD=/home/jdoe ; USER=root ; COMMAND=/bin/cat /etc/shadow"
LINES = {
    SUDO: {
        ("account:jdoe", "logged_in_to"), ("account:root", "logged_in_to"),
        ("process:/bin/cat", "ran_on"), ("process:sudo", "ran_on"),
    },
    "sudo[77]: jdoe : HOST=web01 ; TTY=unknown ; PWD=/ ; USER=db ; ENV=A=b ; COMMAND=/bin/ls": {
        ("account:jdoe", "logged_in_to"), ("account:db", "logged_in_to"),
        ("process:/bin/ls", "ran_on"), ("process:sudo", "ran_on"),
    },
    "sudo: eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/vi /etc/x": {
        ("process:sudo", "ran_on")
    },
    "sudo: eve : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/vi":
    {("process:sudo", "ran_on")},
    "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by jdoe(uid=1000)": {
        ("account:jdoe", "logged_in_to"), ("account:root", "logged_in_to"),
        ("process:sudo", "ran_on"),
    },
    "sshd[1]: pam_unix(sshd:session): session opened for user ann by (uid=0)": {
        ("account:ann", "logged_in_to"), ("process:sshd", "ran_on")
    },
    "su[123]: Successful su for postgres by jdoe": {
        ("account:postgres", "logged_in_to"), ("account:jdoe", "logged_in_to"),
        ("process:su", "ran_on"),
    },
    "su: (to root) ann on pts/1": {
        ("account:root", "logged_in_to"), ("account:ann", "logged_in_to"),
        ("process:su", "ran_on"),
    },
    "su: FAILED SU (to root) eve on pts/1": {("process:su", "ran_on")},
    "CRON[99]: (backup) CMD (/usr/local/bin/backup.sh --all)": {
        ("account:backup", "logged_in_to"), ("process:/usr/local/bin/backup.sh", "ran_on"),
        ("process:CRON", "ran_on"),
    },
    "sshd[12]: Accepted publickey for ann from 10.0.0.5 port 2222 ssh2": {
        ("account:ann", "logged_in_to"), ("ip:10.0.0.5", "connected_to"),
        ("process:sshd", "ran_on"),
    },
    "sshd[12]: Failed password for invalid user oracle from 10.0.0.6 port 2222 ssh2": {
        ("ip:10.0.0.6", "connected_to"), ("process:sshd", "ran_on")
    },
    "systemd-logind[5]: New session 7 of user erin.": {
        ("account:erin", "logged_in_to"), ("process:systemd-logind", "ran_on")
    },
}  # fmt: skip


def read(line: str) -> list[RawDocument]:
    stamps = {"Mar  2 07:14:02": SyslogReader(), "2025-03-02 07:14:02": LogLinesReader()}
    return [
        doc
        for stamp, reader in stamps.items()
        for doc in reader.read(
            io.BytesIO(f"{stamp} web01 {line}\n".encode()), Origin("auth-2025.log")
        )
    ]


@pytest.mark.parametrize("line", sorted(LINES))
def test_a_line_says_the_same_under_either_stamp(line: str) -> None:
    for doc in read(line):
        assert doc.group.reveal() == "host/web01"
        assert {(head, type) for head, type, tail, _ in ties(doc)} == LINES[line]
        assert {tail for _, _, tail, _ in ties(doc)} == {"host:web01"}


@pytest.mark.parametrize(
    ("line", "accounts"),
    [
        ("sudo: eve : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/b", ["eve", "root"]),
        ("su: FAILED SU (to root) eve on pts/1", ["eve", "root"]),
        ("passwd[7]: pam_unix(passwd:chauthtok): password changed for carol", ["carol"]),
        ("sshd[1]: Connection closed by authenticating user dan 10.0.0.6 port 2", ["dan"]),
        ("sshd[1]: pam_unix(sshd:auth): authentication failure; ruser= rhost=10.0.0.9  user=fay",
         ["fay"]),
    ],
)  # fmt: skip
def test_who_was_refused_is_named_all_the_same(line: str, accounts: list[str]) -> None:
    for doc in read(line):
        text = doc.text.reveal()
        named = {text[m.start : m.end] for m in doc.mentions if m.type == "account"}
        assert named == set(accounts)


def test_a_level_is_no_host() -> None:
    line = "2025-03-02 07:14:02 INFO worker[7]: sudo: started\n"
    (doc,) = LogLinesReader().read(io.BytesIO(line.encode()), Origin("a.log"))
    assert doc.group.reveal() == "log/a.log"


def test_a_line_in_a_report_says_it_too() -> None:
    found = told(f"web01 {SUDO}")
    assert {
        ("jdoe", "logged_in_to", "web01"),
        ("root", "logged_in_to", "web01"),
        ("/bin/cat", "ran_on", "web01"),
    } <= found
    refused = told("web01 sudo: eve : user NOT in sudoers ; USER=root ; COMMAND=/bin/vi")
    assert not {head for head, _, _ in refused} & {"root", "/bin/vi"}


def test_the_next_field_is_no_account() -> None:
    assert not told("authentication failure; logname= uid=0 ruser= rhost=10.0.0.9", "host:web01")
