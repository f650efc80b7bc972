"""What the command line imports before it knows which command to run."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from keyscope_cli.loaded_late import COMMANDS, LateCommands
from keyscope_cli.release import told_release

KEYSCOPE: Final = Path(sys.executable).with_name("keyscope")
HEAVY: Final = ("botocore", "boto3", "httpx", "moto", "samtranslator", "yaml")
IMPORTS: Final = f"""
import sys
from keyscope_cli.main import main
sys.argv[0] = "keyscope"
try:
    main()
finally:
    print(sorted(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--help"], {}),
        (["--version"], {}),
        (
            [],
            {"_KEYSCOPE_COMPLETE": "complete_bash", "COMP_WORDS": "keyscope d", "COMP_CWORD": "1"},
        ),
        *(
            (
                [],
                {
                    "_KEYSCOPE_COMPLETE": "complete_bash",
                    "COMP_WORDS": f"keyscope {group} c",
                    "COMP_CWORD": "2",
                },
            )
            for group in ("account", "app", "key", "service-account")
        ),
    ],
    ids=["help", "version", "completion", "account", "app", "key", "service-account"],
)
def test_help_version_and_completion_import_nothing_that_is_heavy(
    arguments: list[str], variables: dict[str, str]
) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", IMPORTS, *arguments],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr.splitlines()[-1], done.returncode) == ("[]", 0)
    assert done.stdout


def test_completion_offers_the_commands_that_begin_as_typed() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [KEYSCOPE],
        env={
            "PATH": "/usr/bin:/bin",
            "_KEYSCOPE_COMPLETE": "complete_bash",
            "COMP_WORDS": "keyscope d",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["deploy", "destroy", "doctor"]


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    commands = LateCommands(COMMANDS)
    assert {name: late.summary for name, late in COMMANDS.items()} == {
        name: command.get_short_help_str(limit=200) for name, command in commands.items()
    }


def test_the_version_tells_the_commit() -> None:
    version, _, commit = told_release().partition(" (commit ")
    assert version.count(".") == 2
    assert len(commit.rstrip(")").partition(",")[0]) in {len("0123456789ab"), len("unknown")}
