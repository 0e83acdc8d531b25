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
qmtl project update --path my-strategy --set fast=12 --yes
```

An update renders the project anew with today's templates and answers and merges three ways: what was rendered before
(`.qmtl-base.tgz`), what is rendered now, what the author has. A file that only one side changed is that side's; where
both changed the same lines both stay, between markers, and the command ends with 1. A file that the author deleted
stays deleted. In a git work tree files that would change must be committed, and git is the way back; elsewhere the
old files are copied to `.qmtl-backup/`. A command that is cut leaves the old project or the new one.

Before the differences an update names the templates whose version stepped, and for a major step what their
`migrations.md` says of it. Templates render with the qmtl that is installed, so `--to VERSION` refuses to update to
any other; install that one first. A project of a newer qmtl is not touched. A patch step never changes a strategy's
NodeIDs.

`.qmtl-base.tgz` is stored without compression: compressors of different versions make different bytes of one file,
and git compresses it anyway, and better, since it sees what changed.

`qmtl project layer validate` builds the strategy in two processes with 30 s in all, and reports every finding at
once: a layer that is missing or imports upwards, a function that is missing or returns the wrong kind, NodeIDs that
differ between two builds or two processes, a value that looks ahead, an extra that is not installed, a file with what
looks like a key, a live guard that is off. A call of the clock or of an unseeded generator in a layer is a warning.
These processes refuse to open a connection, to start a process and to write a file outside of a scratch folder: that
keeps a mistake from doing harm and says it, and is no sandbox for code that means harm.

Answers are written into the project and committed, so no template may ask for a secret and no answer may look like
one.

Bars that come with a template are a random walk and say SYNTHETIC in file, symbol and README.

Three files of a project are in the form that a program reads, where a form of our own would be read by nobody: limits
of an account are JSON (`qmtl risk limits set --file`), those of a world are part of its policy, alerts are rules of
Prometheus. There is no file that chooses where experiments are tracked: `qmtl sweep --store FILE` keeps every trial
under the hash of code, parameters and bars, goes on with those that are not there yet and never mixes two versions of
a strategy; `--csv FILE` writes the table that a notebook, a spreadsheet or an MLflow of yours reads. A tracker beside
them would be a second, poorer record of the same trials.

## Templates of your own

A package offers templates and presets by the entry point `qmtl.templates`, which names a package with folders as
here:

```toml
[project.entry-points."qmtl.templates"]
acme = "acme_templates"
```

with `acme_templates/<layer>/<template>/template.toml` and `acme_templates/presets/<preset>.toml`, all of it in the
wheel. Nothing of it is imported or run. A template is data: its language has output, conditions, loops and filters,
and calls nothing. It renders by the same rules, is listed with its package and version, and a project is only ever
updated with the package that it was made with. A name that qmtl has stays qmtl's, one that two packages have is
nobody's; a template that is broken is left out and named on standard error, and the others work.

`template.toml` has `name` and `layer` (as its folders say), `summary`, `version`, `qmtl` (versions it is for),
`docs`, and may have `requires` (layers beside those that its own layer needs), `conflicts` (templates), `extras` (of
qmtl), `tags`, `parameters` (`type`, `default`, `help`, `min`, `max`, `choices`, `pattern`) and `files` (source by
path; a source that ends with `.jinja` is rendered). A template of data has the parameters `symbol` and `interval`.
From version 2.0.0 on `migrations.md` beside it has a section `## 2.0.0` for each major step. An unknown key is
refused.

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
