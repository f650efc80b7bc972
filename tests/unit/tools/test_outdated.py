"""What `make outdated` says of a locked package that has a newer release."""

from importlib.metadata import version
from typing import Final

from packaging.requirements import Requirement

from tools.outdated import Package, Parent, holders, moves, packages, reason

PYTEST: Final = Package("pytest", "9.2.0", "9.3.0", frozenset())


def node(name: str, locked: str, *needs: str, latest: str = "", extra: str = "") -> object:
    newer = {"latest_version": latest} if latest else {}
    kind: object = {"extra": extra} if extra else "package"
    dependencies = [{"id": each} for each in needs]
    return {"name": name, "version": locked, "kind": kind, "dependencies": dependencies, **newer}


def test_the_outdated_packages_of_a_tree_know_what_needs_them() -> None:
    tree = {
        "resolution": {
            "workspace": {"kind": "workspace", "dependencies": []},
            "a": node("a", "1", "a[x]", "c"),
            "a[x]": node("a", "1", "a", "b", extra="x"),
            "b": node("b", "2", latest="3"),
            "c": node("c", "4", latest="4"),
        }
    }
    assert packages(tree) == [Package("b", "2", "3", frozenset({Parent("a", "1", "x")}))]


def test_what_an_upgrade_would_move_is_read_from_uv() -> None:
    printed = "Resolved 3 packages\nUpdate ruff v0.17.5 -> v0.17.6\nUpdate md v1, v2 -> v1, v3\n"
    assert moves(printed) == {"ruff": "0.17.6", "md": "3"}


def test_a_package_that_nothing_keeps_can_be_updated() -> None:
    assert reason(PYTEST, "9.3.0", []).startswith("nothing keeps it")


def test_a_requirement_of_the_project_that_excludes_the_release_is_named() -> None:
    own = [Requirement("pytest<9.3"), Requirement("pytest>=9"), Requirement("mypy<1")]
    assert list(holders(PYTEST, own)) == ["pyproject.toml requires pytest<9.3"]


def test_a_requirement_of_an_installed_package_that_excludes_the_release_is_named() -> None:
    core = Package("pydantic-core", "1", "1.1", frozenset({installed("pydantic")}))
    (held,) = holders(core, [])
    assert held.startswith(f"pydantic {installed('pydantic').version} requires pydantic-core==")


def test_a_requirement_of_another_version_or_for_another_extra_is_not_named() -> None:
    others = frozenset({Parent("pydantic", "1.0", ""), installed("botocore")})
    for name in ("pydantic-core", "awscrt"):
        assert list(holders(Package(name, "1", "1.1", others), [])) == []


def test_a_package_without_a_known_reason_names_what_needs_it() -> None:
    unknown = Package("b", "1", "2", frozenset({Parent("a", "1", ""), Parent("c", "1", "")}))
    assert "a, c" in reason(unknown, "1.5", [])


def installed(name: str) -> Parent:
    return Parent(name, version(name), "")
