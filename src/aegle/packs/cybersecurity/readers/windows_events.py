"""Windows and Sysmon events: what each is called, which fields tell it, what the fields name."""

from __future__ import annotations

from typing import Final

Tie = tuple[str, str, str, bool]

HOST: Final = "HOST"

NAMES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("Sysmon", "1"): ("process create", "Image CommandLine CurrentDirectory User IntegrityLevel "
                      "ParentImage ParentCommandLine Hashes"),
    ("Sysmon", "2"): ("file time changed", "Image TargetFilename User"),
    ("Sysmon", "3"): ("network connection", "Image User Protocol Initiated SourceIp SourceHostname "
                      "SourcePort DestinationIp DestinationHostname DestinationPort"),
    ("Sysmon", "5"): ("process terminated", "Image User"),
    ("Sysmon", "6"): ("driver loaded", "ImageLoaded Signature SignatureStatus Hashes"),
    ("Sysmon", "7"): ("image loaded", "Image ImageLoaded Signature SignatureStatus Hashes"),
    ("Sysmon", "8"): ("remote thread", "SourceImage TargetImage StartModule StartFunction"),
    ("Sysmon", "9"): ("raw disk read", "Image Device"),
    ("Sysmon", "10"): ("process access", "SourceImage TargetImage GrantedAccess CallTrace"),
    ("Sysmon", "11"): ("file create", "Image TargetFilename User"),
    ("Sysmon", "12"): ("registry key", "EventType Image TargetObject User"),
    ("Sysmon", "13"): ("registry value set", "EventType Image TargetObject Details User"),
    ("Sysmon", "14"): ("registry rename", "EventType Image TargetObject NewName User"),
    ("Sysmon", "15"): ("file stream", "Image TargetFilename Hashes"),
    ("Sysmon", "17"): ("pipe created", "Image PipeName"),
    ("Sysmon", "18"): ("pipe connected", "Image PipeName"),
    ("Sysmon", "22"): ("DNS query", "Image QueryName QueryStatus QueryResults"),
    ("Sysmon", "23"): ("file delete", "Image TargetFilename User Hashes"),
    ("Sysmon", "26"): ("file delete", "Image TargetFilename User Hashes"),
    ("Security", "1102"): ("audit log cleared", "SubjectUserName"),
    ("Security", "4624"): ("logon", "TargetUserName TargetDomainName LogonType IpAddress IpPort "
                           "WorkstationName ProcessName AuthenticationPackageName "
                           "SubjectUserName TargetLogonId"),
    ("Security", "4625"): ("logon failed", "TargetUserName TargetDomainName LogonType IpAddress "
                           "WorkstationName ProcessName Status SubStatus SubjectUserName"),
    ("Security", "4634"): ("logoff", "TargetUserName TargetDomainName LogonType TargetLogonId"),
    ("Security", "4648"): ("logon with explicit credentials", "SubjectUserName TargetUserName "
                           "TargetServerName ProcessName IpAddress"),
    ("Security", "4672"): ("special privileges", "SubjectUserName SubjectDomainName PrivilegeList"),
    ("Security", "4688"): ("process create", "NewProcessName CommandLine SubjectUserName "
                           "ParentProcessName TargetUserName TokenElevationType MandatoryLabel"),
    ("Security", "4689"): ("process exit", "ProcessName SubjectUserName Status"),
    ("Security", "4697"): ("service installed", "ServiceName ServiceFileName ServiceAccount "
                           "ServiceType ServiceStartType SubjectUserName"),
    ("Security", "4698"): ("scheduled task created", "TaskName SubjectUserName TaskContent"),
    ("Security", "4720"): ("account created", "TargetUserName SubjectUserName"),
    ("Security", "4768"): ("Kerberos ticket requested", "TargetUserName ServiceName IpAddress "
                           "Status TicketEncryptionType"),
    ("Security", "4769"): ("Kerberos service ticket requested", "TargetUserName ServiceName "
                           "IpAddress Status TicketEncryptionType"),
    ("Security", "4776"): ("credential validation", "TargetUserName Workstation Status"),
    ("Security", "5140"): ("share accessed", "SubjectUserName IpAddress IpPort ShareName "
                           "ShareLocalPath AccessMask"),
    ("Security", "5145"): ("share object checked", "SubjectUserName IpAddress IpPort ShareName "
                           "RelativeTargetName AccessMask"),
    ("Security", "5156"): ("connection permitted", "Application Direction Protocol SourceAddress "
                           "SourcePort DestAddress DestPort"),
    ("Security", "5157"): ("connection blocked", "Application Direction Protocol SourceAddress "
                           "SourcePort DestAddress DestPort"),
    ("Security", "5158"): ("bind permitted", "Application Protocol SourceAddress SourcePort"),
    ("System", "104"): ("log cleared", "SubjectUserName AccountName Channel"),
    ("System", "7045"): ("service installed", "ServiceName ImagePath AccountName ServiceType "
                         "StartType"),
}  # fmt: skip
"""(provider, event id) -> (what it is, its telling fields in the order in which they are shown)."""

TYPES: Final = {
    "Image": "process", "ParentImage": "process", "SourceImage": "process",
    "TargetImage": "process", "NewProcessName": "process", "ParentProcessName": "process",
    "ProcessName": "process", "CallerProcessName": "process", "Application": "process",
    "ImageLoaded": "file", "TargetFilename": "file", "TargetObject": "registry_key",
    "SourceIp": "ip", "DestinationIp": "ip", "IpAddress": "ip", "SourceAddress": "ip",
    "DestAddress": "ip", "SourceHostname": "host", "DestinationHostname": "host",
    "WorkstationName": "host", "Workstation": "host", "TargetServerName": "host",
    "User": "account", "SubjectUserName": "account", "TargetUserName": "account",
    "AccountName": "account", "ServiceName": "service", "ServiceFileName": "path",
    "ImagePath": "path", "QueryName": "domain", "Hashes": "hash", "ShareName": "path",
}  # fmt: skip
"""Field -> the type of entity that it names."""

DULL: Final = frozenset(
    "EventID Hostname Computer host Channel SourceName Message Task Keywords Level Opcode "
    "OpcodeValue Version RecordNumber ProviderGuid SourceModuleName SourceModuleType SeverityValue "
    "Severity tags port EventTime EventReceivedTime TimeCreated UtcTime @timestamp @version "
    "Category ThreadID ExecutionProcessID RuleName EventType EventTypeOrignal UserID Domain "
    "AccountType ActivityID ProcessGuid ProcessId SubjectUserSid SubjectLogonId LogonGuid "
    "ERROR_EVT_UNRESOLVED ProviderName SystemTime".split()
)
"""Fields that every event has and that tell nothing; shown only where an event lists them."""

_RAN: Final = tuple(
    (field, HOST, "ran_on", False)
    for field in ("Image", "NewProcessName", "SourceImage", "Application", "ProcessName")
)
_REACHED: Final = (("IpAddress", HOST, "connected_to", False),)

TIES: Final[dict[tuple[str, str], tuple[Tie, ...]]] = {
    ("Sysmon", "1"): (("ParentImage", "Image", "spawned", True),),
    ("Sysmon", "2"): (("Image", "TargetFilename", "wrote", False),),
    ("Sysmon", "11"): (("Image", "TargetFilename", "wrote", True),),
    ("Sysmon", "13"): (("Image", "TargetObject", "wrote", False),),
    ("Sysmon", "15"): (("Image", "TargetFilename", "wrote", False),),
    ("Sysmon", "22"): ((HOST, "QueryName", "resolved", False),),
    ("Security", "4624"): (
        ("TargetUserName", HOST, "logged_in_to", True),
        ("IpAddress", HOST, "connected_to", True),
    ),
    ("Security", "4625"): _REACHED,
    ("Security", "4648"): (("SubjectUserName", "TargetServerName", "logged_in_to", True),),
    ("Security", "4688"): (("ParentProcessName", "NewProcessName", "spawned", True),),
    ("Security", "4697"): ((HOST, "ServiceName", "runs", False),),
    ("Security", "4768"): _REACHED,
    ("Security", "4769"): _REACHED,
    ("Security", "5140"): _REACHED,
    ("Security", "5145"): _REACHED,
    ("System", "7045"): ((HOST, "ServiceName", "runs", False),),
}
"""(provider, event id) -> (head field, tail field, relation, whether its time matters)."""


def ties_of(provider: str, number: str, event: dict[str, str]) -> tuple[Tie, ...]:
    """The ties that an event states between its fields and its host."""
    ties = TIES.get((provider, number), ())
    if (provider, number) == ("Sysmon", "3"):
        out = event.get("Initiated", "").lower() == "true"
        ties = ((HOST, "DestinationIp", "connected_to", False),) if out else (
            ("SourceIp", HOST, "connected_to", False),)  # fmt: skip
    elif (provider, number) == ("Security", "5156"):
        out = event.get("Direction") == "%%14593"
        ties = ((HOST, "DestAddress" if out else "SourceAddress", "connected_to", False),)
        ties = ties if out else ((ties[0][1], HOST, "connected_to", False),)
    return ties + _RAN
