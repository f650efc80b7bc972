"""The byte code that a layer ships: the runtime's, and the same from every build."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.build

SCRIPT: Final = Path(__file__).parents[2] / "layers" / "compile.sh"
SOURCES: Final = {
    "package/__init__.py": "",
    "package/module.py": "def f(x): return x in {'a', 'b', 'c'}\n",
}
MAGIC_OF_3_13: Final = (3571).to_bytes(2, "little") + b"\r\n"
UNCHECKED_HASH: Final = (1).to_bytes(4, "little")
"""The flags of byte code that goes by no time and is never compared with its source (PEP 552)."""


def layer_in(folder: Path) -> Path:
    layer = folder / "AnyLayer" / "python"
    for path, text in SOURCES.items():
        (layer / path).parent.mkdir(parents=True, exist_ok=True)
        (layer / path).write_text(text, "utf-8")
    return layer


def compiled(layer: Path, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own script
        ["/bin/sh", str(SCRIPT), str(layer)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    layer = layer_in(tmp_path)
    # As `make` keeps this machine's byte code.
    if compiled(layer, PYTHONPYCACHEPREFIX=str(tmp_path / "elsewhere")):
        pytest.skip("no Python 3.13 on this machine")
    return layer


def digests(layer: Path) -> dict[str, str]:
    files = [path for path in layer.rglob("*") if path.is_file()]
    return {str(path.relative_to(layer)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_each_module_has_byte_code_that_the_runtime_takes_whatever_its_date(layer: Path) -> None:
    byte_code = sorted((layer / "package" / "__pycache__").iterdir())
    assert [path.name for path in byte_code] == [
        "__init__.cpython-313.pyc",
        "module.cpython-313.pyc",
    ]
    assert {path.read_bytes()[:8] for path in byte_code} == {MAGIC_OF_3_13 + UNCHECKED_HASH}


def test_a_traceback_names_the_place_in_lambda(layer: Path) -> None:
    byte_code = (layer / "package/__pycache__/module.cpython-313.pyc").read_bytes()
    assert b"/opt/python/package/module.py" in byte_code
    assert str(layer).encode() not in byte_code


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(
    layer: Path, tmp_path: Path
) -> None:
    other = layer_in(tmp_path / "elsewhere")
    compiled(other)
    assert digests(other) == digests(layer)


def test_without_the_runtimes_python_the_build_says_so_and_ships_sources(tmp_path: Path) -> None:
    layer = layer_in(tmp_path)
    said = compiled(layer, PATH="/nowhere", HOME="/nowhere", PYENV_ROOT="/nowhere")
    assert "AnyLayer holds sources only" in said
    assert digests(layer).keys() == SOURCES.keys()
