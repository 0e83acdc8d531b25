"""Writes docs/templates.md from the metadata of the project templates that come with this package."""

from pathlib import Path

from qmtl.project.layers import FACTS
from qmtl.project.metadata import ADDITION, FRAME
from qmtl.project.shelf import Shelf, Template, installed_shelf

PAGE = Path(__file__).resolve().parent.parent / "docs" / "templates.md"
HEAD = """# Project templates

Made from the templates' metadata by `python -m tools.template_table`. A project is put together from layers; each has
one responsibility and a function by which the next one uses it. What is rendered is the author's: no base class, no
registry, nothing between these files and the SDK.

```
qmtl project init --preset minimal --path my-strategy --set name=my-strategy
qmtl project layer add execution --path my-strategy --template canary_guard --yes
qmtl project layer validate --path my-strategy
qmtl project diff --path my-strategy --set fast=12
qmtl project update --path my-strategy --set fast=12
```

An update renders the project anew with today's templates and answers and merges three ways: what was rendered before
(`.qmtl-base.tgz`), what is rendered now, what the author has. A file that only one side changed is that side's; where
both changed the same lines both stay, between markers, and the command ends with 1. A file that the author deleted
stays deleted. In a git work tree files that would change must be committed, and git is the way back; elsewhere the
old files are copied to `.qmtl-backup/`. A command that is cut leaves the old project or the new one.

`qmtl project layer validate` builds the strategy in a process of its own, without a network, and reports every
finding at once: a layer that imports upwards, a function that is missing or returns the wrong kind, NodeIDs that
differ between two builds, a value that looks ahead, a file with what looks like a key, a live guard that is off.

Templates of other packages come by the entry point `qmtl.templates`, which names a package with the same folders. A
template is data: its language has output, conditions, loops and filters, and calls nothing.

Bars that come with a template are a random walk and say SYNTHETIC in file, symbol and README.

## Layers

| layer | responsibility | needs | gives the next layer |
|---|---|---|---|
"""


def template_table(shelf: Shelf) -> str:
    """The page."""
    lines = [HEAD.rstrip("\n")]
    for layer, facts in FACTS.items():
        needs = ", ".join(facts.needs) or "nothing"
        lines.append(f"| {layer} | {facts.summary} | {needs} | `{facts.function}({', '.join(facts.arguments)})` |")
    lines += ["", "## Presets", "", "| preset | what | templates |", "|---|---|---|"]
    for name, (preset, _) in shelf.presets.items():
        chosen = [f"{layer}/{one}" for layer, one in preset.templates.items()]
        lines.append(f"| {name} | {preset.summary} | {', '.join([*chosen, *preset.additions])} |")
    lines += ["", "## Templates"]
    for place in (FRAME, *FACTS, ADDITION):
        for template in shelf.templates.values():
            if template.facts.place == place:
                lines += ["", *_template(template)]
    return "\n".join(lines) + "\n"


def _template(template: Template) -> list[str]:
    facts = template.facts
    lines = [f"### {facts.key} {facts.version}", "", facts.summary]
    if facts.parameters:
        lines += ["", "| parameter | default | want | what |", "|---|---|---|---|"]
        for name, one in facts.parameters.items():
            want = one.want.replace("|", "\\|")
            lines.append(f"| `{name}` | `{one.default}` | {want} | {one.help} |")
    return lines


def main() -> None:
    PAGE.write_text(template_table(installed_shelf()), encoding="utf-8")


if __name__ == "__main__":
    main()
