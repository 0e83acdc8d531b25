"""The table of every command: its name and the function behind it, which is imported when the command is used.

A place is "<module below qmtl.cli.commands>:<function>". What a listing says of a command is the first line of that
function's docstring, read from its source: `--help` imports no command.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

ROOT = "qmtl.cli.commands"
GROUPS = {
    "world": "Worlds: what may trade in each, by which policy, and who may change it.",
    "world policy": "Policies of a world: store one, show one, start from a preset.",
    "world edge": "Edges of the graph that one world switches off or on.",
    "campaign": "Campaigns: how far strategies have come to live, and their promotions.",
    "risk": "Risk of worlds and accounts: reports, candidates, tests of forecasts, limits.",
    "risk limits": "Limits of accounts: show, set.",
    "strategy": "Submitted strategies: list, show, history, cancel.",
    "graph": "The graph all strategies share: draw one, look at a node, take a snapshot.",
    "graph snapshot": "The whole graph as a file with a content hash.",
    "queues": "Queues of the graph: list, show, statistics.",
    "queue": "Read the rows of a queue: what one node put out.",
    "sentinel": "Sentinels: versions of a strategy and each one's share of traffic.",
    "events": "Events of a world, as they happen.",
    "orders": "Orders: list, show, cancel, replace.",
    "trade": "Orders by hand: buy, sell, flatten.",
    "accounts": "Accounts: list, show, halt, open at a venue, feed.",
    "alloc": "Shares of accounts' capital, and rebalancing: show, set, plan, apply, execute.",
    "instruments": "Instruments: list, show.",
    "venues": "Venues: status.",
    "data": "Market data: catalogue, presets, coverage, conformance.",
    "data schemas": "Row schemas: the columns that rows must have, in versions.",
    "bus": "The control bus: tail, streams, dead letters.",
    "config": "The configuration file: generate, validate, show.",
    "project": "Strategy projects: made from layers, shown, brought up to date.",
    "project layer": "Layers of a project: add, remove, list, validate.",
    "prod": "A scaled-out mesh: its folder, certificates, tokens.",
    "prod certs": "Certificates of every process.",
    "prod tokens": "Tokens of every service process.",
}
COMMANDS = {
    "up": "mesh.processes:up",
    "down": "mesh.processes:down",
    "token": "mesh.token:token",
    "status": "mesh.status:status",
    "check": "strategy.check:check",
    "backtest": "strategy.backtest:backtest",
    "sweep": "strategy.sweep:sweep",
    "submit": "strategy.submit:submit",
    "run": "strategy.run:run",
    "project init": "project.projects:init",
    "project list-presets": "project.projects:list_presets",
    "project show": "project.projects:show",
    "project diff": "project.projects:diff",
    "project update": "project.projects:update",
    "project layer add": "project.layers:add",
    "project layer remove": "project.layers:remove",
    "project layer list": "project.layers:list_layers",
    "project layer validate": "project.layers:validate",
    "portfolio": "trading.portfolio:portfolio",
    "positions": "trading.holdings:positions",
    "cash": "trading.holdings:cash",
    "fills": "trading.holdings:fills",
    "payments": "trading.holdings:payments",
    "trades": "trading.trades:trades",
    "reconcile": "trading.venues:reconcile",
    "gc": "graph.garbage:gc",
    "world create": "world.worlds:create",
    "world list": "world.worlds:list_worlds",
    "world show": "world.worlds:show",
    "world decide": "world.evaluation:decide",
    "world activate": "world.activation:activate",
    "world deactivate": "world.activation:deactivate",
    "world evaluate": "world.evaluation:evaluate",
    "world verify-run": "world.verification:verify_run",
    "world explain": "world.evaluation:explain",
    "world apply": "world.apply:apply",
    "world resume": "world.apply:resume",
    "world freeze": "world.hold:freeze",
    "world drain": "world.hold:drain",
    "world approve-live": "world.approvals:approve_live",
    "world revoke-live": "world.approvals:revoke_live",
    "world audit": "world.audit:audit",
    "world rebuild": "world.audit:rebuild",
    "world bind": "world.members:bind",
    "world grants": "world.members:grants",
    "world grant": "world.members:grant",
    "world revoke": "world.members:revoke",
    "world policy set": "world.policies:set_policy",
    "world policy presets": "world.policies:presets",
    "world policy show": "world.policies:show_policy",
    "world edge list": "world.edges:list_edges",
    "world edge off": "world.edges:off",
    "world edge on": "world.edges:on",
    "world edge forget": "world.edges:forget",
    "campaign status": "campaign.status:status",
    "campaign tick": "campaign.status:tick",
    "campaign plan": "campaign.status:plan",
    "campaign request": "campaign.promotions:request",
    "campaign withdraw": "campaign.promotions:withdraw",
    "campaign approve": "campaign.promotions:approve",
    "campaign reject": "campaign.promotions:reject",
    "campaign promote": "campaign.promotions:promote",
    "campaign advance": "campaign.scheduling:advance",
    "campaign loop": "campaign.scheduling:loop",
    "campaign pause": "campaign.promotions:pause",
    "campaign resume": "campaign.promotions:resume",
    "campaign trials": "campaign.trials:trials",
    "campaign report": "campaign.divergence:report",
    "campaign dossier": "campaign.dossier:dossier",
    "risk show": "risk.reports:show",
    "risk stress": "risk.reports:stress",
    "risk explain": "risk.reports:explain",
    "risk backtest": "risk.reports:backtest",
    "risk history": "risk.reports:history",
    "risk put": "risk.reports:put",
    "risk breaches": "risk.limits:list_breaches",
    "risk acknowledge": "risk.limits:acknowledge",
    "risk limits show": "risk.limits:show_limits",
    "risk limits set": "risk.limits:set_limits",
    "strategy list": "strategy.strategies:list_strategies",
    "strategy show": "strategy.strategies:show",
    "strategy history": "strategy.strategies:history",
    "strategy cancel": "strategy.strategies:cancel",
    "graph show": "graph.graph:show",
    "graph node": "graph.graph:node",
    "graph snapshot export": "graph.snapshots:export",
    "graph snapshot verify": "graph.snapshots:verify",
    "queues list": "graph.queues:list_queues",
    "queues show": "graph.queues:show",
    "queues stats": "graph.queues:stats",
    "queue read": "graph.records:read",
    "sentinel list": "graph.sentinels:list_sentinels",
    "sentinel set": "graph.sentinels:set_weight",
    "events tail": "world.events:tail",
    "orders list": "trading.orders:list_orders",
    "orders show": "trading.orders:show",
    "orders cancel": "trading.orders:cancel",
    "orders replace": "trading.orders:replace",
    "trade buy": "trading.trade:buy",
    "trade sell": "trading.trade:sell",
    "trade flatten": "trading.trade:flatten",
    "alloc show": "alloc.shares:show",
    "alloc set": "alloc.shares:set_shares",
    "alloc propose": "alloc.shares:propose",
    "alloc history": "alloc.shares:history",
    "alloc plan": "alloc.rebalances:plan",
    "alloc apply": "alloc.rebalances:apply",
    "alloc execute": "alloc.rebalances:execute",
    "alloc watch": "alloc.rebalances:watch",
    "alloc cancel": "alloc.rebalances:cancel",
    "alloc runs": "alloc.rebalances:runs",
    "accounts list": "trading.accounts:list_accounts",
    "accounts show": "trading.accounts:show",
    "accounts state": "trading.accounts:state",
    "accounts open": "trading.venues:open_account",
    "accounts feed": "trading.venues:feed",
    "venues status": "trading.venues:status",
    "instruments list": "trading.instruments:list_instruments",
    "instruments show": "trading.instruments:show",
    "data add": "data.files:add",
    "data list": "data.datasets:list_datasets",
    "data presets": "data.presets:presets",
    "data members": "data.presets:members",
    "data coverage": "data.datasets:coverage",
    "data ensure": "data.ensure:ensure",
    "data fetch": "data.fetch:fetch",
    "data conformance": "data.datasets:conformance",
    "data artifacts": "data.artifacts:artifacts",
    "data verify": "data.artifacts:verify",
    "data features": "data.features:features",
    "data play": "data.recordings:play",
    "data recordings": "data.recordings:recordings",
    "data schemas list": "data.schemas:list_schemas",
    "data schemas register": "data.schemas:register",
    "data schemas promote": "data.schemas:promote",
    "data schemas history": "data.schemas:history",
    "bus tail": "mesh.bus:tail",
    "bus lag": "mesh.bus:lag",
    "bus dlq": "mesh.bus:dlq",
    "config generate": "mesh.config:generate",
    "config validate": "mesh.config:validate",
    "config show": "mesh.config:show",
    "prod init": "prod.folder:init",
    "prod user": "prod.folder:user",
    "prod certs renew": "prod.folder:renew_certs",
    "prod tokens renew": "prod.folder:renew_tokens",
}


class Group(TyperGroup):
    """The commands and groups of the table below one name; the root's name is empty."""

    below = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table, commands before groups."""
        return list(dict.fromkeys(self._names()))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A group, or a command that is not imported yet; None: no such name."""
        path = f"{self.below} {cmd_name}".strip()
        if path in COMMANDS:
            return Deferred(cmd_name, COMMANDS[path])
        if path not in GROUPS:
            return None
        group = Group(name=cmd_name, help=GROUPS[path], no_args_is_help=True)
        group.below = path
        return group

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Ctrl-C: exit code 130 and one line on stderr, of the call or just that."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            typer.echo(str(error) or "interrupted", err=True)
            raise typer.Exit(130) from error

    def _names(self) -> Iterator[str]:
        for path in (*COMMANDS, *GROUPS):
            above, _, name = path.rpartition(" ")
            if above == self.below:
                yield name


class Deferred(TyperCommand):
    """A command that is imported when somebody uses it or asks for its help."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(name, help=summary(place))
        self._place = place

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command, so that it and not this one is invoked."""
        return self.real().make_context(info_name, args, parent, **extra)

    def real(self) -> Any:
        """The command itself."""
        module, _, function = self._place.partition(":")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(self.name)(vars(import_module(f"{ROOT}.{module}"))[function])
        return typer.main.get_command(app)


def summary(place: str) -> str:
    """The first line of a command's docstring, without importing the command."""
    module, _, function = place.partition(":")
    spec = find_spec(f"{ROOT}.{module}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{ROOT}.{module}")
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise AttributeError(f"{ROOT}.{module} has no {function}")
