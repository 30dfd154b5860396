"""Builds the two lists of words that are not taken for names, from sources that may be shipped.

``python scripts/words.py --scowl FILE --scowl-small FILE --icd10cm FILE`` (the lists of Debian's
packages ``wamerican`` and ``wamerican-small``; the tabular list of ICD-10-CM as XML) writes
``words.txt.gz`` of the general pack and of the corpus. What is whose: the README beside each.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parent.parent / "src" / "aegle"
GENERAL: Final = SOURCES / "packs" / "general" / "data"
LISTS: Final = ("healthcare", "cybersecurity")

# Words of the dictionary that are, with a capital, somebody's name first of all.
RATHER_NAMES: Final = frozenset(
    """barney billy bob bobby bonnie brad carol chad chuck clement colleen curt dick dirk don ed
    eddy emery ester fanny frank freeman gene hank harry hector homer jack jarred jasper jimmy john
    josh joy ken kitty lance margarita maria marina martin mason matt mickey mike myrtle nick noel
    patsy patty peg penny peter phoebe randy rhea rick rob robin rod roger rosemary sally sandy
    sherry sibyl sonny sue tad terry tom tony troy valentine victor viola waldo amber belle dahlia
    hazel heather marvin raven bishop bush butler carpenter cooper fisher ford fowler fuller fry
    gable gage gentry goldsmith gore graves grimes hale hart hicks hopper jersey mace macintosh
    manning miller monk moody moss peck pierce potter roach sawyer sears sellers shepherd smith
    snider snow sparks stokes stout thatcher trump tweed watts weaver weeks wellington wells wolf
    wren wright abbot atlas bannister barber bass bender booth bourbon bray burger burr canon
    coward cox crane cruise darling dodge dole doe duke fielding finch flint fox frost garrison
    gill glass hay herring holiday hood horn huff hunt knight lamb leach lent lodge lord lynch
    madden marsh meadows mills moor nightingale pate pope powers prince riddle rivers savage sharp
    shields spears staples stark stern stone swift teller wade walker ward waters woods
    workman""".split()
) - frozenset(  # these stand in charts and logs at line starts too often
    "atlas bass booth cox duke glass hay herring hood horn lodge sharp shields stone walker ward"
    " waters stern savage hunt staples marina".split()
)

# What charts and security texts write and neither the dictionary nor our lists have.
JARGON: Final = frozenset(
    """abd abg abx adl adls afebrile aki alk ambulating ambulatory angio ant appt approx aspirated
    bilat bipap biopsied bmp bpm bun bx cabg cath cbc cc chemo chf ckd comorbidities coags copd
    cpap creat crit crp csf ctab cva cxr dm dnr doe dvt dx ecg echo ecmo edematous eeg ekg emr eom
    eomi erythematous esrd etoh eval exam extrem extremities extubated febrile fibrillation fio fx
    gastro gcs genitourinary gerd gi gravida gtt gu gyn hct heent hematologic hemodynamically hep
    hgb hpi hr hrs htn hx icd icu immunizations inc incentive infarct inpatient intake intubated
    io ivf jvd kcal kg kub labs lad lat lbs lle llq loc lue luq lymphadenopathy mcg med meds meq
    mets mg mgmt min mins mmhg monitor mri mrsa musculoskeletal na nad nc neuro neb nebs ng nka
    nkda nl norco normocephalic npo nsaids nsr nstemi nausea occ ob op ophtho ortho osa otc outpt
    oximetry palp para pcn pcr peds perrl perrla pmh pna po postop pre preop prn psa psh psych pt
    ptt pulm pvd pvr qd qhs qid quad rbc rbcs readmission readmitted rehab resp retic rle rll rlq
    rom ros rr rt rue ruq rx sats sbp signout sob sono spo stat stemi subq sx tab tabs tach tachy
    tele temp tib tid tsh tx uop uri urinalysis uti utd vanc vanco vitals vs vss wbc wnl yo
    admin adware antivirus api args async auth backdoor backend bash beacon beaconing binaries
    bitcoin blacklist blob bool boot botnet bruteforce cli cmd config configs conn cpu creds cron
    cryptominer csv cve daemon dataset deauth debug decrypt decrypted deobfuscate dest dev devops
    dhcp dll dns docker dropper dst endpoint endpoints env eth eventlog exe exec exfil exfiltrate
    exfiltration exfiltrated failover filename filesystem firewall firewalls firmware foothold ftp
    gateway geoip github gpo gui hash hashed hostname hostnames html http https iam infosec init
    inode ioc iocs ip ipsec json kerberoasting kernel keylogger keyring ldap linux localhost lockout
    login logins logoff logon logons logout loopback lsass macro malspam malware metadata mfa
    middleware mitre msg mutex namespace netflow netlogon nginx noauth ntlm null obfuscated
    offline oauth opsec outbound param params parser passphrase passwd patched payload payloads
    pcap perl phish phished phishing php pid pids pivot plaintext plugin plugins poc polymorphic
    popup powershell proc proxied ransomware rdp reboot rebooted redirector regex registry rename
    repo rfc rootkit rpc rsync runtime sandbox sandboxed scada schema screensaver sdk sha shellcode
    siem sinkhole smb smtp snmp soc socket spam spearphish spearphishing spoof spoofed spyware sql
    src sshd ssl stderr stdin stdout subdomain subdomains subnet sudo svc symlink syn sync syslog
    sysadmin systemd tar tcp telnet timestamp timestamps tls tmp toctou tooling trojan tunneling
    tunnelling udp uid unauth unauthenticated unpatched unzip uptime uri url urls userland username
    usernames utf vlan vm vms vpn vulns wanted webapp webhook webmail webshell wget whitelist whoami
    wifi wiper workaround wmi xml xss yaml zeroday zip""".split()
)


def words_of(path: Path) -> set[str]:
    """The words of a dictionary that it writes in lower case."""
    lines = path.read_text(encoding="utf-8").split()
    return {word for word in lines if word.islower() and word.isalpha() and len(word) > 1}


def written_small(texts: Iterable[str]) -> set[str]:
    """The words of some texts that they write in lower case only."""
    words = {word for text in texts for word in re.findall(r"[^\W\d_]{3,}", text)}
    return {word for word in words if word.islower() and word.capitalize() not in words}


def names(name: str) -> set[str]:
    """A list of names of the census."""
    return set(gzip.decompress((GENERAL / f"{name}.txt.gz").read_bytes()).decode().split())


def write(path: Path, words: Iterable[str]) -> None:
    """A sorted list, packed without a date so that equal lists are equal files."""
    path.write_bytes(gzip.compress("\n".join(sorted(words)).encode(), 9, mtime=0))


def main() -> None:
    """Build both lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("scowl", "scowl-small", "icd10cm"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    small = words_of(options.scowl_small) - RATHER_NAMES
    titles = re.findall(
        r"<(?:desc|note)>([^<]*)</", options.icd10cm.read_text(encoding="utf-8", errors="replace")
    )
    ours = written_small(
        path.read_text(encoding="utf-8")
        for pack in LISTS
        for path in sorted((SOURCES / "packs" / pack / "data").glob("*.txt"))
    )
    people = names("first") | names("last")
    sure = small | ours | JARGON
    # A rare word that the census knows as a name is a name.
    rare = (words_of(options.scowl) | written_small(titles)) - people - RATHER_NAMES
    write(GENERAL / "words.txt.gz", sure | rare)
    write(SOURCES / "corpus" / "data" / "words.txt.gz", people & sure)


if __name__ == "__main__":
    main()
