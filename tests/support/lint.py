"""What cfn-lint says about a template."""


def complaints(text: str, *allowed: str) -> list[str]:
    """Return the errors and warnings of cfn-lint about a template, except those of some rules."""
    # It takes two seconds to load, which tests of other things need not wait for.
    from cfnlint.api import lint_all  # noqa: PLC0415

    return [
        f"{match.rule.id} {match.message}"
        for match in lint_all(text)
        if match.rule.id not in allowed and match.rule.severity != "informational"
    ]
