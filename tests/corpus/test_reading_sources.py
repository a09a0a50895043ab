"""Which files a path names, what they are called, and what stands between documents in them, on any system."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus import streams
from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import Document, documents, records
from pofx.corpus.source import expand_path
from pofx.errors import BadSource

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def read(path: Path | str, **options: Any) -> tuple[list[str], list[BadRow]]:
    told: list[BadRow] = []
    return list(documents(path, report=told.append, **options)), told


# ----------------------------------------------------------------------------------------- directories and patterns


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    top = tmp_path / "corpus"
    for name, text in {
        "b.txt": "b",
        "a.txt": "a",
        "sub/deep/c.jsonl": '{"text": "c"}',
        "README.md": "no corpus",
        ".hidden.txt": "hidden",
        ".git/d.txt": "hidden",
        "sub/scores.part": "no corpus",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text + "\n")
    return top


def test_a_directory_is_the_files_below_it(corpus: Path) -> None:
    assert read(corpus)[0] == ["a", "b", "c"]
    assert [os.path.basename(p) for p in expand_path(corpus).others] == ["README.md", "scores.part"]
    assert [d.id for d in records(corpus)] == [
        f"{corpus}/{n}:1" for n in ("a.txt", "b.txt", "sub/deep/c.jsonl")
    ]
    assert read(f"{corpus}/sub")[0] == ["c"]
    assert sorted(read(corpus, format="txt")[0])[:2] == ["a", "b"]
    assert len(read(corpus, format="txt")[0]) == 5  # all but the hidden ones
    os.mkfifo(corpus / "pipe.txt")  # would wait for ever
    (corpus / "gone.txt").symlink_to(corpus / "nowhere")
    (corpus / "loop").symlink_to(corpus)
    assert read(corpus)[0] == ["a", "b", "c"]


def test_a_pattern_is_the_files_that_match(corpus: Path) -> None:
    assert read(f"{corpus}/*.txt")[0] == ["a", "b"]
    assert read(f"{corpus}/[b-z].txt")[0] == ["b"]
    assert read(f"{corpus}/**/*.jsonl")[0] == ["c"]
    (corpus / "x[1].txt").write_text("literal\n")
    assert read(corpus / "x[1].txt")[0] == ["literal"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("*.csv", "expected files that match, got none; check the pattern"),
        ("what is love?", "pass a text as a text"),
        ("empty", "expected a directory with files that end in .txt.*got none"),
        ("others", "got 1 other file, such as 'a.md'"),
        ("[", "expected files that match"),
        (
            "model",
            "expected documents, got the directory of a model; name .* pass the model as a model \\(load\\(directory\\)\\)",
        ),
    ],
)
def test_a_path_of_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("others").mkdir()
    Path("others/a.md").write_text("x")
    Path("model").mkdir()
    Path("model/config.json").write_text("{}")
    Path("model/model.safetensors").write_text("")
    with pytest.raises(BadSource, match=words) as e:
        documents(path)
    assert str(e.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_directory_that_is_closed(corpus: Path) -> None:
    (corpus / "sub").chmod(0)
    try:
        with pytest.raises(BadSource, match="expected a readable directory"):
            documents(corpus)
    finally:
        (corpus / "sub").chmod(stat.S_IRWXU)


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name", [b"caf\xe9.txt", b"a\nb.txt", b"\x1b[31m.txt", "\u202e.txt".encode(), "é 猫.txt".encode()]
)
def test_whatever_a_file_is_called_its_documents_have_ids_in_a_line(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(b"x\n\xff\n")
    except OSError:
        pytest.skip("this file system has no such names")
    told: list[BadRow] = []
    (found,) = records(path, report=told.append)
    for text in (found.id, found.source, told[0].id, str(told[0])):
        assert text.isprintable()
        assert text.encode("utf-8")
    assert found.id == f"{found.source}:1"
    if name.startswith("é".encode()):
        assert found == Document("x", f"{path}:1", str(path), 1)
    with pytest.raises(BadSource) as e:
        list(records(path, max_document=1, encoding="utf-16"))
    assert str(e.value).isprintable()


# -------------------------------------------------------------------------------------------------------- separators


@pytest.mark.filterwarnings("ignore:separator")
def test_a_line_ending_in_a_separator_is_that_of_any_system(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    unix = "It was late.\nIt rained.\n\nThe door opened.\n\n\n\nThe end.\n"
    for ending in ("\n", "\r\n"):
        path.write_bytes(unix.replace("\n", ending).encode())
        found = [(d.text, d.line, d.id) for d in records(path, separator="\n\n")]
        assert found == [
            (f"It was late.{ending}It rained.", 1, f"{path}#1"),
            ("The door opened.", 4, f"{path}#2"),
            ("The end.", 8, f"{path}#3"),
        ]
        assert read(path, separator="\n---\n")[0] == [unix.replace("\n", ending).removesuffix(ending)]
    # A separator that says \r\n means it.
    path.write_bytes(b"a\r\nb\nc")
    assert read(path, separator="\r\n")[0] == ["a", "b\nc"]
    assert read(path, separator="\n")[0] == ["a", "b", "c"]
    path.write_bytes(b"a\r\rb\r\n\rc")
    assert read(path, separator="\r\r")[0] == ["a", "b\r\n\rc"]


@settings(max_examples=200, deadline=None)
@given(
    data=st.text(alphabet="a\r\n", max_size=40),
    mark=st.sampled_from(["\n", "\n\n", "a\n", "\na", "\n\na\n", "\r\n", "\r\n\r\n", "\n\r", "aa"]),
    n=st.integers(1, 6),
)
def test_pieces_do_not_hang_on_the_chunks(data: str, mark: str, n: int) -> None:
    """The whole text cut from the left, at each place a separator whose \\n may be \\r\\n."""
    pieces, at, k = [], 0, 0
    while k < len(data):
        end = k
        for i, c in enumerate(mark):
            free = c == "\n" and (i == 0 or mark[i - 1] != "\r")
            if free and data.startswith("\r\n", end):
                end += 2
            elif data.startswith(c, end):
                end += 1
            else:
                break
        else:
            pieces.append(data[at:k])
            at = k = end
            continue
        k += 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK", n)
        raw: Any = io.BytesIO(data.encode())
        found = [p.decode() for p, _ in streams.read_pieces("x", io.BufferedReader(raw, n), mark.encode())]
    assert found == [*pieces, data[at:]]


# ----------------------------------------------------------------------------------------------------------- Parquet


@pytest.mark.parametrize("column", ["text", "id", "given", "kept"])
@pytest.mark.parametrize("rows", [0, 3])
def test_a_shard_of_nulls_ends_no_reading(tmp_path: Path, column: str, rows: int) -> None:
    table = {name: pa.array(["x"] * rows, pa.string()) for name in ("text", "id", "given", "kept")}
    pq.write_table(pa.table({**table, column: pa.nulls(rows)}), tmp_path / "a.parquet")
    pq.write_table(pa.table({name: ["y"] for name in table}), tmp_path / "b.parquet")
    told: list[BadRow] = []
    files = [tmp_path / n for n in ("a.parquet", "b.parquet")]
    found = list(records(*files, id="id", given="given", keep=["kept"], report=told.append))
    assert [d.text for d in found] == (["x"] * rows if column == "kept" else []) + ["y"]
    assert len(told) == (0 if column == "kept" else rows)
    assert all("got null" in bad.why for bad in told)


def test_a_shard_without_columns_has_no_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ([], [])


KINDS = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.one_of(st.none(), st.text(alphabet='a",\t\n\r\0\ufeff\u2028é猫', max_size=5)), max_size=30
    ),
    group=st.integers(1, 9),
    compression=st.sampled_from(["none", "zstd", "snappy"]),
    dictionary=st.booleans(),
    page=st.sampled_from([16, 10**6]),
)
def test_what_pyarrow_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    kind: Any,
    rows: list[str | None],
    group: int,
    compression: str,
    dictionary: bool,
    page: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    table = pa.table({"text": pa.array(rows, kind), "n": list(range(len(rows)))})
    pq.write_table(
        table,
        path,
        row_group_size=group,
        compression=compression,
        use_dictionary=dictionary,
        data_page_size=page,
    )
    told: list[BadRow] = []
    found = [(d.line, d.text, d.id) for d in records(path, id="n", report=told.append)]
    assert found == [(k, t, str(k - 1)) for k, t in enumerate(rows, 1) if t is not None]
    assert [bad.line for bad in told] == [k for k, t in enumerate(rows, 1) if t is None]


def test_a_separator_that_parts_nothing_is_told(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("Time flies.\nAll is well.\n")
    two.write_text("A<doc>B")
    with pytest.warns(
        UserWarning, match="separator: expected '<doc>' between documents, got one document in the input"
    ):
        assert list(documents(one, separator="<doc>")) == ["Time flies.\nAll is well."]
    with pytest.warns(UserWarning, match="got one document in each file"):
        assert len(list(documents(one, one, separator="<doc>"))) == 2
    assert list(documents(one, two, separator="<doc>")) == ["Time flies.\nAll is well.", "A", "B"]
