"""MkDocs hooks that build the pages of docs/ (`make docs`)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "Start": ("index.md", "start.md", "tutorial-own-api.md"),
    "Model": ("model.md", "access-map.md", "own-ids.md", "test-an-access-map.md"),
    "Attach": (
        "attach.md",
        "migrate-from-api-gateway-keys.md",
        "migrate-from-your-own-authorizer.md",
    ),
    "Configure": (
        *("deploy.md", "configure.md", "provisioning.md", "management-api.md", "endpoints.md"),
        *("clients.md", "limit-a-key.md"),
        *("command-line.md", "console.md", "usage-plans.md"),
    ),
    "Operate": (
        *("operate.md", "watch.md", "decision-log.md", "audit-events.md"),
        *("runbook/README.md", "runbook/*.md"),
        *("upgrade.md", "regions.md", "cost.md", "canary.md", "platform-facts.md"),
    ),
    "Security": ("security.md", "secret-scanning.md"),
    "Performance": ("performance.md",),
    "Change": ("how-to-change-it.md",),
    "Decisions": ("decisions/*.md",),
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
