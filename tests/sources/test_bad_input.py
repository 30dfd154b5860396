"""Bad input: each a refusal with a clear reason, never a stop, a hang or a full memory."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegle.core.errors import AegleError
from aegle.core.pack import Origin
from aegle.core.plugins import load
from aegle.core.records import RawDocument
from aegle.packs.general import PACK
from aegle.sources import FileDone, Got, Limits, Refused, read

READERS = [load(target)() for target in PACK.readers.values()]
SECRET = "Mrs Zaphodine Quux"


def run(*paths: Path | str, **options: Any) -> tuple[dict[str, str], dict[str, str]]:
    """(text by path, reason by path); no reason may quote, no path may be lost."""
    texts: dict[str, str] = {}
    reasons: dict[str, str] = {}
    options.setdefault("readers", READERS)
    options.setdefault("limits", Limits())
    for event in read(paths, seen=lambda sha256: False, **options):
        if isinstance(event, Got):
            texts[event.path] = texts.get(event.path, "") + event.document.text.reveal()
        elif isinstance(event, Refused):
            assert SECRET not in event.reason and event.reason
            reasons[event.path] = event.reason
    return texts, reasons


def only(reasons: dict[str, str]) -> str:
    assert len(reasons) == 1, reasons
    return next(iter(reasons.values()))


def test_a_truncated_gz_keeps_what_could_be_read(tmp_path: Path) -> None:
    lines = b"".join(b"line %d %s\n" % (n, os.urandom(20).hex().encode()) for n in range(30_000))
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(lines)[:400_000])
    texts, reasons = run(tmp_path)
    assert "it ends too early" in only(reasons)
    assert next(iter(texts.values())).startswith("line 0 ")


@pytest.mark.parametrize("keep", [10, 200, -10])
def test_a_truncated_zip_is_refused(tmp_path: Path, keep: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", f"{SECRET}\n" * 50)
    (tmp_path / "cut.zip").write_bytes(file.getvalue()[:keep])
    assert only(run(tmp_path)[1])


def test_a_damaged_member_leaves_the_others(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "first and sound\n")
        archive.writestr("b.txt", f"{SECRET} will be damaged\n")
        archive.writestr("c.txt", "third and sound\n")
    data = file.getvalue().replace(SECRET.encode(), b"x" * len(SECRET), 1)
    (tmp_path / "d.zip").write_bytes(data)
    texts, reasons = run(tmp_path)
    assert len(texts) >= 2 and "damaged" in reasons[f"{tmp_path}/d.zip!b.txt"]


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text\n")
    data = bytearray(file.getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "e.zip").write_bytes(bytes(data))
    assert "encrypted" in only(run(tmp_path)[1])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_text(tmp_path: Path, encoding: str) -> None:
    text = "Der Patient klagt über Übelkeit. Größe 180 cm, Gewicht 75 kg.\n" * 3
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert run(tmp_path) == ({f"{tmp_path}/a.txt": text}, {})


def test_mixed_encodings_are_text(tmp_path: Path) -> None:
    mixed = "Größe und Übelkeit, Fieber, Müdigkeit, Schwäche\n".encode() * 5 + b"caf\xe9\n"
    (tmp_path / "a.txt").write_bytes(mixed)
    assert next(iter(run(tmp_path)[0].values())).endswith("Schwäche\ncafé\n")


@pytest.mark.parametrize("start", ["", '{"a": "', "a,b,c\\n1,2,3\\n", "<html><p>", "# Title\\n"])
def test_a_line_of_200_mb_costs_no_memory(tmp_path: Path, start: str) -> None:
    """In a process of its own, to measure its peak."""
    code = """
        import gzip, resource, sys
        from aegle.core.plugins import load
        from aegle.packs.general import PACK
        from aegle.sources import Limits, Refused, read
        names = ("csv", "html", "markdown", "structured", "text")
        readers = [load(PACK.readers[name])() for name in names]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        limits = Limits(max_ratio=1e6)
        events = list(read([sys.argv[1]], readers, limits=limits, seen=lambda sha256: False))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reasons = [e.reason for e in events if isinstance(e, Refused)]
        assert len(reasons) == 1 and " of more than " in reasons[0], reasons
        assert after - before < 150_000, (before, after)
    """
    path = tmp_path / f"long.{'json' if '{' in start else 'csv' if ',' in start else 'txt'}.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start.encode().replace(b"\\n", b"\n"))
        for _ in range(200):
            file.write(b"x" * (1 << 20))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_gz_bomb_is_defused(tmp_path: Path) -> None:
    packed = gzip.compress(b"all work and no play\n" * 500_000)
    (tmp_path / "bomb.txt.gz").write_bytes(packed)
    (tmp_path / "zz.txt").write_text("after\n")
    texts, reasons = run(tmp_path)
    assert "bomb" in only(reasons) and texts[f"{tmp_path}/zz.txt"] == "after\n"
    assert sum(map(len, texts.values())) < len(packed) * 250


def test_a_twice_compressed_bomb_is_defused(tmp_path: Path) -> None:
    inner = gzip.compress(b"0" * 50_000_000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(inner))
    (tmp_path / "b.gz").write_bytes(gzip.compress(gzip.compress(gzip.compress(b"text\n"))))
    reasons = run(tmp_path)[1]
    assert sum("bomb" in reason for reason in reasons.values()) == 1
    assert sum("2 times over" in reason for reason in reasons.values()) == 1


def test_a_zip_bomb_of_many_members_stops_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(100):
            archive.writestr(f"{number}.txt", b"lorem ipsum\n" * 20_000)
    texts, reasons = run(tmp_path)
    assert "bomb" in only(reasons) and len(texts) < 60


def test_a_zip_bomb_of_nested_zips_is_refused(tmp_path: Path) -> None:
    data = b"0\n" * 1_000_000
    for level in range(4):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for copy in range(4):
                archive.writestr(f"{copy}.{'zip' if level else 'txt'}", data)
        data = file.getvalue()
    (tmp_path / "bomb.zip").write_bytes(data)
    texts, reasons = run(tmp_path)
    assert not texts and all("2 deep" in r or "bomb" in r for r in reasons.values()) and reasons


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}.txt", "text\n")
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for number in range(30):
            tar.addfile(tarfile.TarInfo(f"{number}.txt"))
    reasons = run(tmp_path, limits=Limits(max_members=20))[1]
    assert "more than 20 members" in reasons[f"{tmp_path}/a.zip"]
    assert "more than 20 members" in reasons[f"{tmp_path}/b.tar"]


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "true text\n" * 1000)
    data = file.getvalue()
    at = data.index(b"PK\x01\x02")
    data = data[: at + 24] + (100).to_bytes(4, "little") + data[at + 28 :]
    (tmp_path / "lie.zip").write_bytes(data)
    assert only(run(tmp_path)[1])


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    texts, reasons = run(tmp_path)
    assert not texts and len(reasons) == 3


def test_link_loops_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "t.txt").write_text("once\n")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "nothing").symlink_to(tmp_path / "absent")
    texts, reasons = run(tmp_path)
    assert list(texts) == [f"{tmp_path}/a/b/t.txt"]
    assert len(reasons) == 3


def test_deep_folders_are_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):  # deeper than calls may nest
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / ("d/" * 1200) / "t.txt").write_text("at the bottom\n")
    try:
        assert list(run(tmp_path)[0].values()) == ["at the bottom\n"]
    finally:  # Python's own rmtree recurses and fails
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_empty_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "c.txt").write_bytes(b" \n\n\t\n")
    reasons = list(run(tmp_path)[1].values())
    assert reasons[:2] == ["empty", "empty"] and "found nothing" in reasons[2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "a.txt").write_text("open\n")
    texts, reasons = run(tmp_path)
    assert len(texts) == 1 and only(reasons) == "no permission to read it"


def test_a_file_may_vanish_or_change_during_the_run(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(f"text of {name}\n")
    events = []
    for event in read([tmp_path], READERS, limits=Limits(), seen=lambda sha256: False):
        events.append(event)
        if isinstance(event, Got) and event.path.endswith("a.txt"):
            (tmp_path / "b.txt").unlink()
            with (tmp_path / "a.txt").open("a") as file:
                file.write("more\n")
    reasons = {Path(e.path).name: e.reason for e in events if isinstance(e, Refused)}
    assert "changed while it was read" in reasons["a.txt"]
    assert "vanished" in reasons["b.txt"]
    assert [Path(e.path).name for e in events if isinstance(e, FileDone)] == ["c.txt"]


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;">]><l>&c;</l>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize("attack", [LAUGHS, OUTSIDE])
def test_xml_entities_are_refused(tmp_path: Path, attack: str) -> None:
    (tmp_path / "a.xml").write_text(attack)
    texts, reasons = run(tmp_path)
    assert not texts and "entities" in only(reasons)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[" * 100_000),
        ("b.json", '{"a": [1, 2'),
        ("c.xml", "<?xml version='1.0'?>" + "<a>" * 5000),
        ("d.xml", f"<?xml version='1.0'?><a>{SECRET}<b>"),
        ("e.csv", f'a,b\n1,"{SECRET}\n' + "x" * 100),
        ("f.html", "<div>" * 50_000 + "deep"),
        ("g.eml", "From: a@b.c\nTo: x\nSubject: y\nContent-Type: multipart/mixed\n\n--\n"),
        ("h.pdf", "%PDF-1.7\n" + SECRET),
        ("i.docx", "PK\x03\x04" + SECRET),
    ],
)
def test_hostile_documents_end_in_text_or_a_reason(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    texts, reasons = run(tmp_path)
    assert texts or "please report" not in only(reasons)
    assert texts or reasons


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG"), (b"SQLite format 3\0" + bytes(99), "SQLite"),
     (b"MZ\x90\0" + bytes(99), "Windows program"), (b"Rar!\x1a\x07\0", "RAR"),
     (b"7z\xbc\xaf\x27\x1c" + bytes(9), "7-Zip")],
)  # fmt: skip
def test_binaries_are_named(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert name in only(run(tmp_path)[1])


STARTS = (b"", b"%PDF-1.7\n", b"PK\x03\x04", b"From: a\nTo: b\nSubject: c\n\n", b"<html>", b"{",
          b"<?xml version='1.0'?>", b"a,b\n", b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0",
          b"From x@y Mon Jan 1\nMIME-Version: 1.0\nContent-Type: ")  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.sampled_from(STARTS), junk=st.binary(max_size=3000))
def test_junk_in_a_reader_gives_documents_or_our_error(
    reader: Any, start: bytes, junk: bytes
) -> None:
    assert 0.0 <= reader.sniff(start + junk, Origin("x")) <= 1.0
    try:
        documents = list(reader.read(io.BufferedReader(io.BytesIO(start + junk)), Origin("x")))  # type: ignore[arg-type]
    except AegleError as error:
        assert "please report" not in str(error)
    else:
        for document in documents:
            document.text.reveal().encode("utf-8")  # what no store could take fails here


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.sampled_from(STARTS), junk=st.binary(max_size=3000))
def test_junk_in_a_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "file"
    path.write_bytes(start + junk)
    texts, reasons = run(path)
    assert texts or reasons
    assert not any("please report" in reason for reason in reasons.values()), reasons


class _Hungry:
    """A reader that takes all it can, as a careless one would."""

    name = "hungry"

    def sniff(self, head: bytes, origin: Origin) -> float:
        return 1.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        stream.read()
        yield from ()


def test_a_careless_reader_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5_000_000)
    reasons = run(tmp_path, readers=[_Hungry()], limits=Limits(max_text_bytes=1_000_000))[1]
    assert "in one piece" in only(reasons)
