"""What a project is to be made of: layers, a template for each, what is added, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from qmtl.core.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, NotReady
from qmtl.project.layers import Layer, layer_named, missing
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
ASKED_BY_DATA = ("symbol", "interval")
"""Parameters of every template of data: README, notebooks and checks around the layers read them."""


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
    additions = tuple(shelf.template(ADDITION, name) for name in (begun.additions if begun else ()))
    selection = Selection(
        preset=preset,
        templates=completed(shelf, chosen, additions, with_requires=with_requires),
        additions=additions,
        frame=shelf.template(FRAME, FRAME_TEMPLATE),
        answers={**(begun.answers if begun else {}), **(answers or {})},
    )
    check(selection, running)
    return selection


def completed(
    shelf: Shelf, chosen: Mapping[Layer, str], additions: Sequence[Template], *, with_requires: bool
) -> dict[Layer, Template]:
    """Templates of the chosen layers and of those that they need, lowest first.

    Raises InvalidRequest (E_LAYER_UNKNOWN) for none, NotReady (E_LAYER_REQUIRES; metadata: layers) where layers are
    needed and not to be added, NotFound (E_TEMPLATE_UNKNOWN).
    """
    if not chosen:
        raise InvalidRequest("E_LAYER_UNKNOWN", "no layer is chosen", hint=f"--layers {','.join(list(Layer)[:2])}")
    templates = {layer: shelf.template(layer, name) for layer, name in chosen.items()}
    while absent := lacking((*templates.values(), *additions)):
        templates |= {layer: shelf.template(layer, DEFAULTS[layer]) for layer in absent}
    added = [layer for layer in Layer if layer in templates and layer not in chosen]
    if added and not with_requires:
        given = (*(templates[layer] for layer in chosen), *additions)
        needing = [called(one) for one in given if needs(one).intersection(added)]
        message = f"{', '.join(needing)} cannot be without {', '.join(added)}"
        raise NotReady("E_LAYER_REQUIRES", message, hint=f"add {', '.join(added)}, or --with-requires",
                       metadata={"layers": ",".join(added)})  # fmt: skip
    return {layer: templates[layer] for layer in Layer if layer in templates}


def lacking(templates: Sequence[Template]) -> tuple[Layer, ...]:
    """Layers that these templates need and that none of them is of, lowest first."""
    there = {Layer(one.facts.place) for one in templates if one.facts.place in set(Layer)}
    wanted = {need for one in templates for need in needs(one)}
    return tuple(layer for layer in Layer if layer in wanted and layer not in there)


def called(template: Template) -> str:
    """What a person knows a template by: its layer, where that alone says what it needs."""
    plain = template.facts.place in set(Layer) and not template.facts.requires
    return template.facts.place if plain else template.facts.key


def needs(template: Template) -> frozenset[Layer]:
    """Every layer that a template cannot be without, by its own layer or by what it says."""
    named = {*template.facts.requires, *(layer for layer in Layer if layer == template.facts.place)}
    return frozenset({*template.facts.requires, *missing(named)})


def selected_before(shelf: Shelf, project: ProjectFile, running: str) -> Selection:
    """What a project was made of, with the templates as they are now. Raises as `select`."""
    selection = Selection(
        preset=project.preset,
        templates={
            layer: _again(shelf, layer, project.templates[layer]) for layer in Layer if layer in project.templates
        },
        additions=tuple(_again(shelf, ADDITION, one) for one in project.additions),
        frame=_again(shelf, FRAME, project.templates[FRAME]),
        answers={},
    )
    known = selection.parameters
    selection = replace(selection, answers={name: one for name, one in project.answers.items() if name in known})
    check(selection, running)
    return selection


def check(selection: Selection, running: str) -> None:
    """Whether templates can be together.

    Raises NotReady (E_PROJECT_NEWER) for a template of another version, Conflict for two that exclude each other,
    InvalidRequest (E_TEMPLATE_METADATA) for one of data that does not ask what every other template may read.
    """
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
    data = selection.templates.get(Layer.DATA)
    absent = [name for name in ASKED_BY_DATA if data is not None and name not in data.facts.parameters]
    if data is not None and absent:
        message = f"{data.facts.key} has no parameters {', '.join(absent)}, want them of every template of data"
        raise InvalidRequest("E_TEMPLATE_METADATA", message)


def _again(shelf: Shelf, place: str, used: Used) -> Template:
    """The template that a project was made with, of the same package and of no other."""
    package = used.source.rpartition(" ")[0]
    try:
        template = shelf.template(place, used.template)
    except NotFound as error:
        error.hint = f"pip install {package}"
        raise
    if template.source.package != package:
        message = f"{template.facts.key} of this project is of {package}, here it is of {template.source}"
        raise AlreadyExists("E_TEMPLATE_TAKEN", message, hint=f"pip install {package}")
    return template


def _used(template: Template) -> Used:
    return Used(template.facts.name, str(template.facts.version), str(template.source))
