"""The built pages: whole, linked, and with nothing that is loaded from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


def built(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    configuration = site.parent / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    text = text.replace("docs_dir: docs", f"docs_dir: {docs}")
    text = text.replace("custom_dir: tools/site", f"custom_dir: {ROOT / 'tools' / 'site'}")
    text = text.replace("[tools/docs_site.py]", f"[{ROOT / 'tools' / 'docs_site.py'}]")
    configuration.write_text(text.replace("site_dir: .local/site", f"site_dir: {site}"))
    return subprocess.run(  # noqa: S603 - our own build
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(configuration)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "site"
    done = built(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    named = {page.with_name("index.md") if page.name == "README.md" else page for page in pages}
    assert [page for page in named if not (site / page.with_suffix(".html")).exists()] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = re.compile(
        r'<(?:script|img|iframe)[^>]* src="(https?:)?//|<link[^>]* href="(https?:)?//'
    )
    assert [page.name for page in site.rglob("*.html") if loaded.search(page.read_text())] == []


def test_each_page_has_search_a_theme_switch_and_the_script_that_copies_code(site: Path) -> None:
    parts = ('id="mkdocs-search-query"', 'id="theme"', "assets/site.js", "search/main.js")
    pages = {page.name: page.read_text() for page in site.rglob("*.html")}
    assert "404.html" in pages
    assert [name for name, text in pages.items() if not all(part in text for part in parts)] == []
    assert (site / "search" / "search_index.json").exists()


def test_no_fence_is_left_as_text(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if "```" in page.read_text()] == []


def test_no_item_of_a_list_is_swallowed_by_the_paragraph_before_it(site: Path) -> None:
    swallowed = re.compile(r"<p>(?:(?!</p>).)*?\n(?:- |[0-9]\. |```|\| )", re.DOTALL)
    assert [page.name for page in site.rglob("*.html") if swallowed.search(page.read_text())] == []


@pytest.mark.parametrize("link", ["nowhere.md", "#nowhere"])
def test_a_link_that_leads_nowhere_fails_the_build(link: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Start\n\n[on]({link})\n")
    done = built(tmp_path / "docs", tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere" in done.stderr
