"""`keyscope deploy` before it asks AWS anything: the release, and the parameters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keyscope_cli.failures import Failure
from keyscope_cli.stacks.artifacts import Artifact, read_release
from keyscope_cli.stacks.bucket import Bucket
from tests.support.cli import keyscope
from tests.support.small_release import POLICY, write_release


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    write_release(folder)
    return folder


def test_a_release_is_its_archives_its_template_and_its_stack_policy(release: Path) -> None:
    read = read_release(release)
    assert [one.content for one in read.archives] == [b"code"]
    assert read.stack_policy == POLICY
    assert read.parameters == {"StageName", "HttpApiEnabled"}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "functions-echo.zip").write_text("x"), "does not match"),
        (lambda folder: (folder / "functions-echo.zip").unlink(), "functions-echo.zip is missing"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "template.json is missing"),
        (lambda folder: (folder / "SHA256SUMS").write_text("x"), "SHA256SUMS is malformed"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "There are no artifacts"),
    ],
    ids=["changed", "removed", "unlisted", "malformed", "no sums"],
)
def test_a_damaged_release_is_not_deployed(
    damage: Callable[[Path], object], told: str, release: Path
) -> None:
    damage(release)
    with pytest.raises(Failure, match=told):
        read_release(release)


def test_the_sums_name_files_of_the_folder_alone(release: Path) -> None:
    (release / "SHA256SUMS").write_text(f"{'0' * 64}  ../outside\n")
    with pytest.raises(Failure, match="SHA256SUMS is malformed"):
        read_release(release)


def test_a_command_without_a_release_says_how_to_build_one() -> None:
    done = keyscope("deploy", "--yes", AWS_REGION="us-east-1")
    assert (done.status, "make dist" in done.err) == (4, True)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("StageNam = 'x'", "Did you mean StageName?"),
        ("ArtifactsBucket = 'x'", "no parameter 'ArtifactsBucket'"),
        ("StageName = []", "StageName must be a string"),
        ("StageName", "does not contain TOML"),
        (None, "Cannot read"),
    ],
    ids=["misspelled", "the bucket", "a list", "no TOML", "no file"],
)
def test_a_faulty_parameters_file_is_refused(
    parameters: str | None, told: str, release: Path, tmp_path: Path
) -> None:
    file = tmp_path / "parameters.toml"
    if parameters is not None:
        file.write_text(parameters)
    done = keyscope("deploy", "--yes", "--artifacts", str(release), "--parameters-file", str(file))
    assert (done.status, told in done.err) == (2, True)


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
    ],
)
def test_cloudformation_reads_the_template_from_the_regions_own_partition(
    region: str, domain: str
) -> None:
    bucket = Bucket("mine", region, "123456789012", exists=True, client=None)
    template = Artifact("template.json", b"{}")
    assert bucket.url(template) == f"https://mine.s3.{region}.{domain}/{template.key}"


def test_a_parameter_without_a_value_is_refused(release: Path) -> None:
    done = keyscope("deploy", "--yes", "--artifacts", str(release), "--parameter", "StageName")
    assert (done.status, "Use --parameter NAME=VALUE" in done.err) == (2, True)
