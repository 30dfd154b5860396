"""What `sources.read` promises: order, resuming, archives, reasons that quote nothing."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import socket
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.decode import text_of
from aegle.core.errors import InputError, MissingExtraError, NotFoundError, UsageError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.core.text import RawText
from aegle.packs.general.readers.text import TextReader
from aegle.sources import FileDone, Got, Limits, Refused, read
from aegle.sources.stream import Guarded


def run(paths: Sequence[str | Path], readers: Any = None, **options: Any) -> list[Any]:
    options.setdefault("limits", Limits())
    options.setdefault("seen", lambda sha256: False)
    return list(read(paths, readers or [TextReader()], **options))


def texts(events: list[Any]) -> dict[str, str]:
    return {e.path: e.document.text.reveal() for e in events if isinstance(e, Got)}


def refusals(events: list[Any]) -> dict[str, str]:
    return {e.path: e.reason for e in events if isinstance(e, Refused)}


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def test_folders_are_read_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/z.txt", "b/a.txt", "a.txt", ".hidden.txt", ".git/c.txt", "c.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text of {name}\n")
    done = [e.path for e in run([tmp_path]) if isinstance(e, FileDone)]
    assert [str(Path(path).relative_to(tmp_path)) for path in done] == [
        "a.txt", "c.txt", "b/a.txt", "b/z.txt",
    ]  # fmt: skip
    assert done == [e.path for e in run([tmp_path]) if isinstance(e, FileDone)]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("once\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    assert len(texts(run([tmp_path / "a.txt", tmp_path, f"{tmp_path}/*.txt"]))) == 1


def test_patterns_match_and_a_name_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "deep.txt").write_text("deep\n")
    (tmp_path / "odd[1].txt").write_text("brackets\n")
    assert list(texts(run([f"{tmp_path}/**/deep.txt"])).values()) == ["deep\n"]
    assert list(texts(run([tmp_path / "odd[1].txt"])).values()) == ["brackets\n"]
    with pytest.raises(NotFoundError, match="no such file"):
        read([tmp_path / "absent"], [], limits=Limits(), seen=lambda sha256: False)
    with pytest.raises(NotFoundError):
        read([f"{tmp_path}/*.pdf"], [], limits=Limits(), seen=lambda sha256: False)


def test_stdin_is_read_once_and_must_be_there() -> None:
    events = run(["-", "-"], stdin=io.BytesIO(b"piped\n"))
    assert texts(events) == {"-": "piped\n"}
    assert events[-1] == FileDone("-", hashlib.sha256(b"piped\n").hexdigest(), 6, 1)
    with pytest.raises(UsageError, match="standard input"):
        run(["-"])


def test_a_file_seen_before_is_skipped_unread(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("known\n")
    (tmp_path / "b.txt").write_text("new\n")
    known = hashlib.sha256(b"known\n").hexdigest()
    events = run([tmp_path], seen=lambda sha256: sha256 == known)
    assert list(texts(events).values()) == ["new\n"]
    assert [e.skipped for e in events if isinstance(e, FileDone)] == [True, False]


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1000 + b"\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"y" * 1000))
    told: list[tuple[int, int | None]] = []
    run([tmp_path], progress=lambda step, done, total=None: told.append((done, total)))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert told[0] == (0, size) and told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("name", "pack"),
    [("n.txt.gz", gzip.compress), ("n.txt.bz2", bz2.compress), ("n.txt.xz", lzma.compress)],
)
def test_compressed_files_are_opened(tmp_path: Path, name: str, pack: Any) -> None:
    (tmp_path / name).write_bytes(pack(b"inside\n"))
    assert texts(run([tmp_path])) == {f"{tmp_path}/{name}!n.txt": "inside\n"}


def test_archives_are_opened_two_deep_and_no_deeper(tmp_path: Path) -> None:
    inner = zipped(deep__txt=b"deep\n")
    outer = zipped(a__txt=b"a\n", in__zip=inner, third__zip=zipped(x__zip=inner))
    (tmp_path / "o.zip").write_bytes(outer)
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "o.zip", "o.zip")
    events = run([tmp_path])
    assert texts(events) == {
        f"{tmp_path}/o.zip!a.txt": "a\n",
        f"{tmp_path}/o.zip!in.zip/deep.txt": "deep\n",
        f"{tmp_path}/t.tar.gz!t.tar/o.zip/a.txt": "a\n",
    }
    assert len(refusals(events)) == 3  # o/third/x, t/o/in, t/o/third
    assert all("more than 2 deep" in reason for reason in refusals(events).values())


def test_member_names_are_labels_not_paths(tmp_path: Path) -> None:
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("../../../etc/passwd", "/root/x.txt", "a\x1b[31m.txt"):
            archive.writestr(name, "harmless\n")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("/root/x.txt", "second\n")
    before = set(tmp_path.rglob("*"))
    events = run([file])
    members = [e.path.removeprefix(f"{file}!") for e in events if isinstance(e, Got)]
    assert members == ["etc/passwd", "root/x.txt", "a?[31m.txt", "root/x.txt"]
    assert set(tmp_path.rglob("*")) == before


class _Failing:
    """A reader that gives one document and then fails as it is told."""

    name = "failing"

    def __init__(self, error: Exception, before: int = 1) -> None:
        self._error, self._before = error, before

    def sniff(self, head: bytes, origin: Origin) -> float:
        return 0.9

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        for number in range(self._before):
            yield RawDocument(f"{origin}#{number}", "page", "general", RawText("kept"))
        raise self._error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("line 7 is cut off"), "line 7 is cut off (1 documents before that were kept)"),
        (MissingExtraError("pypdfium2", "documents"), "pip install 'aegle[documents]'"),
        (ValueError("SECRET of a patient"), "failed (ValueError); please report"),
        (UnicodeDecodeError("utf-8", b"SECRET", 0, 1, "SECRET"), "failed (UnicodeDecodeError)"),
        (RecursionError(), "nested too deep"),
        (MemoryError(), "more memory"),
    ],
)
def test_a_failing_reader_never_stops_the_run_nor_quotes(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    (tmp_path / "a.txt").write_text("SECRET\n")
    (tmp_path / "b.txt").write_text("SECRET\n")
    events = run([tmp_path], [_Failing(error)])
    assert len(texts(events)) == 2
    assert len(refusals(events)) == 2
    assert all(reason in said and "SECRET" not in said for said in refusals(events).values())
    assert [e.refused for e in events if isinstance(e, FileDone)] == [1, 1]


def test_a_reader_that_fails_to_sniff_leaves_the_others_their_turn(tmp_path: Path) -> None:
    class Broken(_Failing):
        def sniff(self, head: bytes, origin: Origin) -> float:
            raise TypeError

    (tmp_path / "a.txt").write_text("text\n")
    assert len(texts(run([tmp_path], [Broken(ValueError()), TextReader()]))) == 1


def test_names_that_are_no_text_are_escaped_and_read(tmp_path: Path) -> None:
    broken = os.fsencode(tmp_path) + b"/wrong\xff.txt"
    try:
        Path(os.fsdecode(broken)).write_text("Hypertension.")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")
    (tmp_path / "two\nlines.txt").write_text("")
    found = list(read([tmp_path], [TextReader()], limits=Limits(), seen=lambda _: False))
    paths = {one.path for one in found if not isinstance(one, Got)}
    assert {Path(path).name for path in paths} == {"wrong\\xff.txt", "two\\nlines.txt"}
    for one in found:
        assert "\n" not in one.path
        one.path.encode()  # what a store does
        if isinstance(one, Got):
            one.document.source.encode()


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        said = refusals(run([tmp_path, "/dev/null"]))
    assert [reason.split(": ")[1].split(";")[0] for reason in said.values()] == [
        "a named pipe", "a socket", "a device",
    ]  # fmt: skip


def test_a_file_over_the_limit_is_refused_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"words\n" * 1000)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"words\n" * 1000))
    said = refusals(run([tmp_path], limits=Limits(max_file_bytes=5000)))
    assert len(said) == 2 and all("larger than 0.005 MB" in reason for reason in said.values())


@given(
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), max_size=30))
)
@settings(max_examples=40)
def test_guarded_lines_are_the_files_lines(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    guarded = Guarded(io.BytesIO(data), Limits())
    assert guarded.head() == data[: 1 << 16]
    assert list(guarded) == [f"{line}\n".encode() for line in lines]
    assert text_of(Guarded(io.BytesIO(b"x" + data), Limits())).encode() == b"x" + data


@pytest.mark.parametrize("how", ["readline", "iterate", "wrapper", "readlines"])
def test_no_way_of_reading_lines_grows_past_the_limit(how: str) -> None:
    limits = Limits(max_text_bytes=100_000)
    stream = Guarded(io.BytesIO(b"short\n" + b"x" * 300_000), limits)
    with pytest.raises(InputError, match=r"a line of more than 0\.1 MB"):
        if how == "readline":
            stream.readline(), stream.readline()
        elif how == "iterate":
            list(stream)
        elif how == "readlines":
            stream.readlines()
        else:
            list(io.TextIOWrapper(stream, "utf-8"))


def test_reading_everything_has_a_limit_and_sized_reads_have_none() -> None:
    limits = Limits(max_text_bytes=1000)
    assert len(Guarded(io.BytesIO(b"x" * 4000), limits).read()) == 4000
    with pytest.raises(InputError, match="a document in one piece"):
        Guarded(io.BytesIO(b"x" * 4001), limits).read()
    assert len(Guarded(io.BytesIO(b"x" * 9000), limits).read(9000)) == 9000


def test_what_came_before_damage_is_given_first() -> None:
    packed = gzip.compress(os.urandom(300_000))[:200_000]
    stream = Guarded(gzip.GzipFile(fileobj=io.BytesIO(packed)), Limits())  # type: ignore[arg-type]
    first = stream.read(1 << 20)
    assert 150_000 < len(first) < 200_000
    with pytest.raises(InputError, match="ends too early"):
        stream.read(1 << 20)
