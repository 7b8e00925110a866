import pytest

from engine.errors import InvalidFileError
from engine.formats.tables import read_pair_table


def read(tmp_path, content):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_pair_table(path)


TABLES = [
    pytest.param("uri,phrase,caption\na.jpg,dog,A dog.\n", [("a.jpg", "dog")], id="plain"),
    pytest.param("\ufeffuri,phrase\na.jpg,dog\n", [("a.jpg", "dog")], id="byte order mark"),
    pytest.param("uri,phrase\r\na.jpg,dog\r\n", [("a.jpg", "dog")], id="line ends of Windows"),
    pytest.param('uri,phrase\n"a, b.jpg","a ""big"" dog"\n', [("a, b.jpg", 'a "big" dog')]),
    pytest.param("\nuri,phrase\n\n  ,\na.jpg,dog\n\n", [("a.jpg", "dog")], id="blank lines"),
    pytest.param("Phrase, URI ,x\ndog,a.jpg,9\n", [("a.jpg", "dog")], id="columns in any order"),
    pytest.param("uri,phrase\ns3://b/猫.jpg,赤い猫\n", [("s3://b/猫.jpg", "赤い猫")], id="scripts"),
    pytest.param("uri,phrase\na.jpg,🐈\na.jpg,Dog \n", [("a.jpg", "🐈"), ("a.jpg", "dog")]),
    pytest.param("uri,phrase\n", [], id="no rows"),
]


@pytest.mark.parametrize(("content", "expected"), TABLES)
def test_rows_are_pairs(tmp_path, content, expected):
    found = read(tmp_path, content)

    assert expected == [(pair.media.file_name, pair.phrase) for pair in found.pairs]
    assert () == found.failures


def test_a_media_keeps_the_first_thing_said_of_it(tmp_path):
    table = "uri,phrase,caption,domain\na.jpg,dog,,\na.jpg,cat,Two pets.,home\na.jpg,ox,Late.,\n"

    (media,) = read(tmp_path, table).media

    assert ("Two pets.", "home", 0) == (media.caption, media.domain, media.width)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(",dog", "invalid_file", id="no uri"),
        pytest.param("a.jpg,", "invalid_phrase", id="no phrase"),
        pytest.param("a.jpg", "invalid_phrase", id="a short row"),
        pytest.param(f"a.jpg,{'x' * 500}", "invalid_phrase", id="a long phrase"),
    ],
)
def test_a_bad_row_is_a_failure_that_names_its_line(tmp_path, row, reason):
    found = read(tmp_path, f"uri,phrase\nb.jpg,cat\n{row}\nc.jpg,cow\n")

    assert [(f"{tmp_path}/pairs.csv#line 3", reason)] == [
        (failure.subject_id, failure.reason) for failure in found.failures
    ]
    assert ["cat", "cow"] == [pair.phrase for pair in found.pairs]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("a.jpg,dog\n", id="no header"),
        pytest.param("phrase,caption\ndog,x\n", id="no uris"),
        pytest.param(b"uri,phrase\n\xff\xfe,dog\n", id="no UTF-8"),
        pytest.param('uri,phrase\n"a.jpg,dog\n', id="a quote without end"),
        pytest.param(f'uri,phrase\n"{"x" * 200_000}",dog\n', id="a field without end"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    with pytest.raises(InvalidFileError, match=r"pairs\.csv"):
        read(tmp_path, content)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidFileError, match="No such file"):
        read_pair_table(tmp_path / "absent.csv")


def test_a_table_without_phrases_brings_captions(tmp_path) -> None:
    found = read(tmp_path, "uri,caption\na.jpg,A dog.\nb.jpg,\n")

    assert [("a.jpg", "A dog."), ("b.jpg", "")] == [(m.file_name, m.caption) for m in found.media]
    assert ((), ()) == (found.pairs, found.failures)
