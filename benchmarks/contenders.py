"""What is measured: each contender with exactly the packages that it would ship to Lambda.

Keyscope's own contender is made of the tree as it is: the function's folder, and the layers that
the template gives it, built by their own Makefiles. An earlier commit's contender is made the same
way from that commit's tree. As on Lambda, only a contender's own folders, its layers and the Lambda
runtime's packages are importable, and nothing is compiled into its folders while it runs. All its
files carry the date of the SAM CLI's zip, so Python ignores a .pyc file that checks its source's
time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

from benchmarks.results import FOLDER, ROOT
from keyscope_local.template.stack import Stack, environment_of, load_stack
from keyscope_local.template.yaml_reader import parse_yaml

LAMBDA_PYTHON: Final = "3.13"
FUNCTION: Final = "RestAuthorizerFunction"
ZIP_TIME: Final = 315_532_800
"""Seconds since the epoch of 1980-01-01, which the SAM CLI dates every file of a zip with."""

_BINARIES: Final = Path(sys.executable).parent
_ISOLATED: Final = ("-S", "-s", "-P", "-B")
"""No site packages, none of the user's, none beside a script, and no .pyc file written."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that contenders run with."""

    program: Path
    version: str

    @property
    def command(self) -> tuple[str, ...]:
        """How it is started, so that only `PYTHONPATH` decides what can be imported."""
        return (str(self.program), *_ISOLATED)


@dataclass(frozen=True, slots=True)
class Contender:
    """A function's folder, and the folders of its layers and of the runtime behind it.

    The template of the tree `root` sets its environment.
    """

    name: str
    folder: Path
    packages: tuple[Path, ...]
    root: Path = ROOT

    @property
    def python_path(self) -> str:
        """What can be imported, in the order of Lambda's own path."""
        return os.pathsep.join(str(path) for path in (self.folder, *self.packages))


@dataclass(frozen=True, slots=True)
class Contenders:
    """All that is measured, with one interpreter. `layers` are the authorizer's, by name.

    `before` is Keyscope's authorizer of an earlier commit, if one was asked for.
    """

    interpreter: Interpreter
    noop: Contender
    keyscope: Contender
    peer: Contender
    uncompiled_peer: Contender
    layers: Mapping[str, Path]
    before: Contender | None = None

    @property
    def all(self) -> tuple[Contender, ...]:
        """Every contender but the earlier commit's; the no-op first."""
        return self.noop, self.keyscope, self.peer, self.uncompiled_peer


def make_contenders(before: str = "") -> Contenders:
    """Build every contender, with a commit `before` also that commit's authorizer.

    Packages that did not change since the last run are kept.

    Raises:
        CalledProcessError: a build failed, or there is no such commit.
    """
    interpreter = find_interpreter()
    base = FOLDER / interpreter.version
    runtime = _installed(interpreter, "lambda-runtime", base / "runtime")
    peer_packages = _installed(interpreter, "peer", base / "peer_packages")
    uncompiled = base / "uncompiled_peer_packages"
    if not uncompiled.is_dir() or _age(peer_packages) > _age(uncompiled):
        shutil.rmtree(uncompiled, ignore_errors=True)
        shutil.copytree(peer_packages, uncompiled, ignore=shutil.ignore_patterns("__pycache__"))
    layers = _layers(interpreter, base / "layers", ROOT)
    peer = ROOT / "benchmarks" / "peers"
    compiled_peer = _function(peer / "typical", base / "peer")
    _compile(interpreter, compiled_peer)
    return Contenders(
        interpreter=interpreter,
        noop=Contender("no-op", _function(peer / "noop", base / "noop"), (runtime,)),
        keyscope=_authorizer("Keyscope", ROOT, base / "keyscope", layers, runtime),
        peer=Contender("typical", compiled_peer, (peer_packages, runtime)),
        uncompiled_peer=Contender(
            "typical, no .pyc",
            _function(peer / "typical", base / "uncompiled_peer"),
            (uncompiled, runtime),
        ),
        layers=layers,
        before=_before(interpreter, before, base / "before", runtime) if before else None,
    )


def find_interpreter() -> Interpreter:
    """Return Lambda's version of Python where this machine has it, else the one that runs this."""
    versions = Path.home() / ".pyenv" / "versions"
    places = [
        *map(str, sorted(versions.glob(f"{LAMBDA_PYTHON}*/bin/python{LAMBDA_PYTHON}"))),
        shutil.which(f"python{LAMBDA_PYTHON}") or sys.executable,
        sys.executable,
    ]
    for program in places:
        try:
            version = _run([program, "-c", "import platform; print(platform.python_version())"])
        except subprocess.CalledProcessError:
            # pyenv's shims are there for every version, and fail for those not selected.
            continue
        return Interpreter(Path(program), version.strip())
    message = "no Python was found"
    raise FileNotFoundError(message)


@cache
def stack_of(root: Path = ROOT) -> Stack:
    """Return a tree's stack, which takes a third of a second to load."""
    return load_stack(root / "template.yaml")


def function_environment(endpoint_url: str, root: Path = ROOT) -> dict[str, str]:
    """Return what Lambda would set for the authorizer, with AWS at an endpoint of this machine."""
    return {
        **environment_of(stack_of(root), FUNCTION),
        "KEYSCOPE_KMS_KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/measured",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{LAMBDA_PYTHON}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        # Powertools' Tracer is on where these are; an unsampled trace is the cheapest.
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": "Root=1-6745f0c1-3b2a1f0e4d5c6b7a8f9e0d1c;Sampled=0",
        "PYTHONUNBUFFERED": "1",
    }


def process_environment(contender: Contender, endpoint_url: str) -> dict[str, str]:
    """Return the whole environment of a contender's process outside the emulator."""
    path = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": contender.python_path}
    return {**function_environment(endpoint_url, contender.root), **path}


def zipped_bytes(folder: Path) -> int:
    """Return the size of a folder as a zip, the form that Lambda takes a layer in."""
    archive = FOLDER / "layer.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    size = archive.stat().st_size
    archive.unlink()
    return size


def _before(interpreter: Interpreter, commit: str, base: Path, runtime: Path) -> Contender:
    shutil.rmtree(base, ignore_errors=True)
    root = base / "tree"
    root.mkdir(parents=True)
    archive = base / "tree.tar"
    revision = _run(
        ["git", "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}"]
    ).strip()
    parts = ("template.yaml", "functions", "layers")
    _run(["git", "archive", f"--output={archive}", revision, *parts])
    with tarfile.open(archive) as opened:
        opened.extractall(root, filter="data")
    layers = _layers(interpreter, base / "layers", root)
    return _authorizer(revision[:7], root, base / "function", layers, runtime)


def _authorizer(
    name: str, root: Path, folder: Path, layers: Mapping[str, Path], runtime: Path
) -> Contender:
    return Contender(
        name,
        _function(root / _property(root, FUNCTION, "CodeUri"), folder),
        (*(layer / "python" for layer in layers.values()), runtime),
        root,
    )


def _layers(interpreter: Interpreter, base: Path, root: Path) -> Mapping[str, Path]:
    """Build the layers of the function as the SAM CLI does: `make build-NAME` in their folders."""
    shutil.rmtree(base, ignore_errors=True)
    path = os.pathsep.join([str(_BINARIES), str(interpreter.program.parent), os.environ["PATH"]])
    built = {}
    # The other one is the layer of an access map of one's own, by default none.
    layers = cast("list[dict[str, str]]", _properties(root, FUNCTION)["Layers"])
    for name in (layer["Ref"] for layer in layers if "Ref" in layer):
        folder = base / name
        folder.mkdir(parents=True)
        _run(
            ["make", "--no-print-directory", f"build-{name}"],
            cwd=root / _property(root, name, "ContentUri"),
            environment={**os.environ, "PATH": path, "ARTIFACTS_DIR": str(folder)},
        )
        _date_as_zipped(folder)
        built[name] = folder
    return built


def _installed(interpreter: Interpreter, group: str, folder: Path) -> Path:
    """Install a dependency group of the lock file into a folder, with .pyc files that are valid."""
    uv = str(_BINARIES / "uv")
    options = ("--locked", "--quiet", "--no-emit-project", "--no-header", "--no-annotate")
    pinned = _run([uv, "export", *options, "--only-group", group], cwd=ROOT)
    mark = folder / hashlib.sha256(pinned.encode()).hexdigest()
    if mark.is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    requirements = folder.with_suffix(".txt")
    requirements.write_text(pinned, "utf-8")
    _run(
        [
            *(uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
            *("--only-binary", ":all:", "--python", str(interpreter.program)),
            *("--target", str(folder), "--requirements", str(requirements)),
        ]
    )
    _compile(interpreter, folder)
    mark.touch()
    return folder


def _function(source: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    _date_as_zipped(folder)
    return folder


def _compile(interpreter: Interpreter, folder: Path) -> None:
    mode = ("--invalidation-mode", "unchecked-hash")
    # Beside the sources, as a layer ships it, wherever else this machine keeps byte code.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": ""}
    command = [str(interpreter.program), "-m", "compileall", "-q", "-j", "2", *mode, str(folder)]
    _run(command, environment=environment)


def _date_as_zipped(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (ZIP_TIME, ZIP_TIME))


def _age(folder: Path) -> float:
    return folder.stat().st_mtime


def _properties(root: Path, logical_id: str) -> Mapping[str, object]:
    template = parse_yaml((root / "template.yaml").read_text("utf-8"))
    return cast("Mapping[str, object]", template["Resources"][logical_id]["Properties"])


def _property(root: Path, logical_id: str, name: str) -> str:
    return str(_properties(root, logical_id)[name])


def _run(
    command: Sequence[str], cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(  # noqa: S603 - our own commands, no shell
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout
