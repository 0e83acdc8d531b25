"""What a project is to be made of: layers, a template for each, what is added, answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from qmtl.core.errors import Conflict, InvalidRequest, NotReady
from qmtl.project.layers import FACTS, Layer, layer_named, missing
from qmtl.project.metadata import ADDITION, FRAME
from qmtl.project.parameters import Answer, Parameter, answered
from qmtl.project.project_file import ProjectFile, Used
from qmtl.project.rendering import rendered
from qmtl.project.shelf import Shelf, Template

FRAME_TEMPLATE = "strategy"
DEFAULTS = {
    Layer.DATA: "stream_input",
    Layer.SIGNAL: "single_indicator",
    Layer.EXECUTION: "intent_first",
    Layer.BROKERAGE: "paper",
    Layer.MONITORING: "notebook_metrics",
}
"""The template of a layer where none is named."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`templates`: by layer, lowest first; `answers`: only those that somebody gave."""

    preset: str
    templates: Mapping[Layer, Template]
    additions: tuple[Template, ...]
    frame: Template
    answers: Mapping[str, Answer]

    @property
    def all_templates(self) -> tuple[Template, ...]:
        return (self.frame, *self.templates.values(), *self.additions)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter by name. Raises InvalidRequest (E_TEMPLATE_METADATA) where two templates differ in one."""
        found: dict[str, Parameter] = {}
        for template in self.all_templates:
            for name, parameter in template.facts.parameters.items():
                if found.setdefault(name, parameter) != parameter:
                    message = f"{template.facts.key}: parameters.{name} differs from another template's"
                    raise InvalidRequest("E_TEMPLATE_METADATA", message)
        return found

    def files(self) -> dict[str, bytes]:
        """The whole project but for its own two files. Raises as `answered` and `rendered`."""
        return rendered(self.all_templates, answered(self.parameters, self.answers), self.templates)

    def project_file(self, qmtl: str, files: Mapping[str, str]) -> ProjectFile:
        """What these templates and answers are written down as; `files`: digests by path."""
        return ProjectFile(
            qmtl=qmtl,
            preset=self.preset,
            templates={FRAME: _used(self.frame)} | {layer.value: _used(one) for layer, one in self.templates.items()},
            additions=tuple(_used(one) for one in self.additions),
            answers=answered(self.parameters, self.answers),
            files=files,
        )


def select(
    shelf: Shelf,
    running: str,
    *,
    preset: str = "",
    layers: Sequence[str] = (),
    named: Mapping[str, str] | None = None,
    answers: Mapping[str, Answer] | None = None,
    with_requires: bool = False,
) -> Selection:
    """A selection from a preset, or from layers; `named`: templates by layer instead of the default ones.

    Raises InvalidRequest (E_LAYER_UNKNOWN, E_PARAMETER), NotFound (E_PRESET_UNKNOWN, E_TEMPLATE_UNKNOWN), NotReady
    (E_LAYER_REQUIRES, E_PROJECT_NEWER), Conflict (E_TEMPLATE_CONFLICT) for templates that cannot be together.
    """
    given = {layer_named(layer): name for layer, name in (named or {}).items()}
    begun = shelf.preset(preset) if preset else None
    chosen = dict(begun.templates) if begun else {}
    for layer in map(layer_named, layers):
        chosen.setdefault(layer, DEFAULTS[layer])
    for layer, name in given.items():
        if layer not in chosen:
            message = f"a template of {layer} is named and the layer is not chosen"
            raise InvalidRequest("E_LAYER_UNKNOWN", message, hint=f"--layers {','.join([*chosen, layer])}")
        chosen[layer] = name
    chosen = completed(chosen, with_requires)
    selection = Selection(
        preset=preset,
        templates={layer: shelf.template(layer, chosen[layer]) for layer in Layer if layer in chosen},
        additions=tuple(shelf.template(ADDITION, name) for name in (begun.additions if begun else ())),
        frame=shelf.template(FRAME, FRAME_TEMPLATE),
        answers={**(begun.answers if begun else {}), **(answers or {})},
    )
    check(selection, running)
    return selection


def completed(chosen: Mapping[Layer, str], with_requires: bool) -> dict[Layer, str]:
    """The chosen layers with those they need. Raises NotReady (E_LAYER_REQUIRES) where those are not to be added."""
    if not chosen:
        raise InvalidRequest("E_LAYER_UNKNOWN", "no layer is chosen", hint=f"--layers {','.join(list(Layer)[:2])}")
    absent = missing(chosen)
    if absent and not with_requires:
        needing = [layer for layer in Layer if layer in chosen and set(absent) & set(_all_needs(layer))]
        message = f"{', '.join(needing)} cannot be without {', '.join(absent)}"
        raise NotReady("E_LAYER_REQUIRES", message, hint=f"add {', '.join(absent)}, or --with-requires",
                       metadata={"layers": ",".join(absent)})  # fmt: skip
    return {**chosen, **{layer: DEFAULTS[layer] for layer in absent}}


def selected_before(shelf: Shelf, project: ProjectFile, running: str) -> Selection:
    """What a project was made of, with the templates as they are now. Raises as `select`."""
    selection = Selection(
        preset=project.preset,
        templates={
            layer: shelf.template(layer, project.templates[layer].template)
            for layer in Layer
            if layer in project.templates
        },
        additions=tuple(shelf.template(ADDITION, one.template) for one in project.additions),
        frame=shelf.template(FRAME, project.templates[FRAME].template),
        answers={},
    )
    known = selection.parameters
    selection = replace(selection, answers={name: one for name, one in project.answers.items() if name in known})
    check(selection, running)
    return selection


def check(selection: Selection, running: str) -> None:
    """Raises NotReady (E_PROJECT_NEWER) for a template of another version, Conflict for two that exclude each other."""
    keys = {template.facts.key for template in selection.all_templates}
    for template in selection.all_templates:
        facts = template.facts
        if not facts.qmtl.contains(Version(running), prereleases=True):
            raise NotReady(
                "E_PROJECT_NEWER", f"{facts.key} {facts.version} is for qmtl {facts.qmtl}, this is {running}"
            )
        both = keys.intersection(facts.conflicts)
        if both:
            raise Conflict("E_TEMPLATE_CONFLICT", f"{facts.key} cannot be beside {', '.join(sorted(both))}")
    selection.parameters  # noqa: B018 - refuses templates that differ in a parameter


def _all_needs(layer: Layer) -> Collection[Layer]:
    return (*FACTS[layer].needs, *missing([layer]))


def _used(template: Template) -> Used:
    return Used(template.facts.name, str(template.facts.version), str(template.source))
