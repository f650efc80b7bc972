"""MkDocs hooks that build the pages of docs/ (`make docs`)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "Home": ("index.md",),
    "Tutorials": ("tutorials/start.md", "tutorials/own-api.md", "tutorials/*.md"),
    "How-to guides": (
        *("how-to/attach.md", "how-to/deploy.md", "how-to/configure.md"),
        *("how-to/clients.md", "how-to/limit-a-key.md", "how-to/console.md"),
        *("how-to/own-ids.md", "how-to/manage-accounts.md", "how-to/test-an-access-map.md"),
        *("how-to/migrate-*.md", "how-to/operate.md", "how-to/upgrade.md", "how-to/*.md"),
    ),
    "Reference": (
        *("reference/management-api.md", "reference/endpoints.md", "reference/provisioning.md"),
        *("reference/command-line.md", "reference/access-map.md", "reference/decision-log.md"),
        "reference/*.md",
    ),
    "Explanation": ("explanation/model.md", "explanation/security.md", "explanation/*.md"),
    "Runbook": ("runbook/README.md", "runbook/*.md"),
    "Decisions": ("decisions/README.md", "decisions/*.md"),
}
"""The pages in reading order. A pattern stands for all pages that no earlier entry names; an entry
without a page is left out."""

_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+)([^)#\s]*)(?:#[^)\s]*)?\)")


def pages_in_order(docs: Path) -> dict[str, list[str]]:
    """Return the pages of each section, as paths relative to `docs`."""
    placed: set[str] = set()
    return {
        section: [
            page for entry in entries for page in _matches(docs, entry) if not _is_in(page, placed)
        ]
        for section, entries in ORDER.items()
    }


def with_outer_links_as_text(markdown: str, folder: str) -> str:
    """Turn links that leave docs/ into text, because the site does not contain their targets.

    `folder` is the folder of the page, relative to docs/.
    """
    depth = len(Path(folder).parts)

    def text_of(found: re.Match[str]) -> str:
        text, ups, path = found[1], found[2], found[3]
        if ups.count("../") <= depth:
            return found[0]
        shown = f"`{path}`"
        return shown if text.strip("`") == path else f"{text} ({shown})"

    return _LINK.sub(text_of, markdown)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation."""
    sections = pages_in_order(Path(config.docs_dir))
    config.nav = [{section: pages} for section, pages in sections.items() if pages]
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page that leave docs/ into text."""
    del config, files
    return with_outer_links_as_text(markdown, str(Path(page.file.src_uri).parent))


def _matches(docs: Path, entry: str) -> Iterator[str]:
    return (path.relative_to(docs).as_posix() for path in sorted(docs.glob(entry)))


def _is_in(page: str, placed: set[str]) -> bool:
    known = page in placed
    placed.add(page)
    return known
