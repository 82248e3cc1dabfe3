from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.records.source.urls import fetched
from tests.web import CONTENT, Host


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


def test_a_file_is_fetched_once_and_again_when_it_has_changed(host: Host, tmp_path: Path) -> None:
    url = f"{host.address}/folder/sales.csv?page=1"
    path = fetched(url, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path.name.endswith("-sales.csv")
    assert fetched(url, tmp_path) == path
    assert len(host.asked) == 2
    assert "If-None-Match" in host.asked[-1]
    host.content = b"user,item\n3,4\n"
    assert fetched(url, tmp_path).read_bytes() == host.content


def test_a_transfer_that_breaks_off_goes_on_where_it_ended(host: Host, tmp_path: Path) -> None:
    host.break_off_at = 1_200_000
    path = fetched(f"{host.address}/sales.csv", tmp_path)
    assert path.read_bytes() == CONTENT
    assert "Range" not in host.asked[0]
    start = int(host.asked[1]["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 1_200_000


def test_a_part_of_an_earlier_version_is_not_gone_on_with(host: Host, tmp_path: Path) -> None:
    path = fetched(f"{host.address}/sales.csv", tmp_path)
    path.rename(path.with_name(f".{path.name}.part"))
    path.with_name(f".{path.name}.json").rename(path.with_name(f".{path.name}.part.json"))
    host.content = b"user,item\n3,4\n"
    assert fetched(f"{host.address}/sales.csv", tmp_path).read_bytes() == host.content
    assert "If-Range" in host.asked[-1]


@pytest.mark.parametrize("is_weak", [False, True])
def test_a_changed_file_that_broke_off_is_not_taken_for_the_earlier_one(
    host: Host, tmp_path: Path, is_weak: bool
) -> None:
    url, host.is_weak = f"{host.address}/sales.csv", is_weak
    fetched(url, tmp_path)
    host.content, host.break_off_at = CONTENT.replace(b"2", b"3"), 1_200_000
    assert fetched(url, tmp_path).read_bytes() == host.content
    assert fetched(url, tmp_path).read_bytes() == host.content
    assert "If-None-Match" in host.asked[-1]


def test_a_part_without_a_state_is_not_gone_on_with(host: Host, tmp_path: Path) -> None:
    url = f"{host.address}/sales.csv"
    path = fetched(url, tmp_path)
    path.with_name(f".{path.name}.part").write_bytes(b"user,item\n9,9\n")
    host.content = CONTENT.replace(b"2", b"3")
    assert fetched(url, tmp_path).read_bytes() == host.content


def test_a_server_that_is_gone_leaves_the_copy_of_an_earlier_run(host: Host, tmp_path: Path) -> None:
    url = f"{host.address}/sales.csv"
    path = fetched(url, tmp_path)
    host.close()
    assert fetched(url, tmp_path) == path
    with pytest.raises(PipelineError, match=r"other.csv: cannot be fetched \(ConnectionError\)"):
        fetched(f"{host.address}/other.csv", tmp_path)


def test_what_the_server_says_is_told_without_the_password(host: Host, tmp_path: Path) -> None:
    host.password = "very secret"
    address = host.address.replace("http://", "http://me:very%20secret@")
    assert fetched(f"{address}/sales.csv", tmp_path).read_bytes() == CONTENT
    with pytest.raises(PipelineError, match=r"http://me:\*\*\*@127.0.0.1.*the server says 401"):
        fetched(f"{address.replace('very', 'other')}/a.csv", tmp_path)
    with pytest.raises(PipelineError, match="the server says 404"):
        fetched(f"{address}/missing.csv", tmp_path)
    assert not [path for path in tmp_path.iterdir() if "secret" in path.name or b"secret" in path.read_bytes()]


def test_a_name_cannot_lead_out_of_the_folder(host: Host, tmp_path: Path) -> None:
    for name in ("..%2f..%2fpasswd", "../../passwd", "a/..", "", "x" * 300, "é ✓"):
        assert fetched(f"{host.address}/{name}", tmp_path).parent == tmp_path
