"""Lists of orders that live together: which make sense, and what is wrong with those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brokerage.domain.orders.order import Contingency, Order
from qmtl.core.errors import InvalidRequest, Violation

LIST_MAX = 16
"""Orders of one list at most: a ladder of entries with a bracket each fits."""


def require_list(orders: Sequence[Order]) -> None:
    """Refuse orders that do not make a list. Raises InvalidRequest (E_ORDER_LIST_MALFORMED) with what is wrong.

    All are of one owner and list. A parent (OTO) links its children and they name it; OCO and OUO orders link each
    other whole, have one parent or none and one symbol; OUO orders are on one side, and all trade less as one fills.
    """
    named = {order.client_order_id: order for order in orders}
    wrong: list[Violation] = []
    if not 2 <= len(orders) <= LIST_MAX:
        wrong.append(Violation("orders", f"{len(orders)} orders", f"2 to {LIST_MAX}"))
    if len(named) < len(orders):
        wrong.append(Violation("orders.client_order_id", "one of them twice", "each once"))
    if len({(order.owner, order.list_id) for order in orders}) > 1 or any(not order.list_id for order in orders):
        wrong.append(Violation("orders.list_id", "several owners or lists", "one account, world, strategy and list_id"))
    if not wrong:
        for index, order in enumerate(orders):
            wrong += [Violation(f"orders[{index}].{field}", got, want) for field, got, want in _wrong(order, named)]
    if wrong:
        raise InvalidRequest("E_ORDER_LIST_MALFORMED", "; ".join(map(str, wrong)), violations=wrong)


def _wrong(order: Order, named: Mapping[str, Order]) -> list[tuple[str, str, str]]:
    """What is wrong with how one order is tied to the others: field, what it has, what it should."""
    found: list[tuple[str, str, str]] = []
    links, name = order.linked, order.client_order_id
    if (order.contingency is None) != (not links) or (order.contingency is None and not order.parent):
        found.append(("contingency", str(order.contingency), "a contingency and the orders it is with, or a parent"))
    if len(set(links)) < len(links) or name in links or any(link not in named for link in links):
        found.append(("linked_client_order_ids", ", ".join(links), "other orders of the list, each once"))
        return found
    parent = named.get(order.parent)
    if order.parent and (parent is None or parent.contingency is not Contingency.OTO or name not in parent.linked):
        found.append(("parent_client_order_id", order.parent, "an OTO order of the list that links this one"))
    if order.parent and order.position_target is not None:
        found.append(("position_target", str(order.position_target), "none for an order that waits for another"))
    if not _ends(order, named):
        found.append(("parent_client_order_id", order.parent, "no circle of parents"))
    for other in (named[link] for link in links):
        if order.contingency is Contingency.OTO:
            if other.parent != name:
                found.append(("linked_client_order_ids", other.client_order_id, "orders whose parent is this one"))
        elif not _are_rivals(order, other):
            want = f"{order.contingency} orders of one symbol, side (OUO) and parent that all link each other"
            found.append(("linked_client_order_ids", other.client_order_id, want))
    return found


def _ends(order: Order, named: Mapping[str, Order]) -> bool:
    """Whether going from parent to parent comes to an end."""
    for _ in named:
        if not order.parent or order.parent not in named:
            return True
        order = named[order.parent]
    return False


def _are_rivals(order: Order, other: Order) -> bool:
    group = {order.client_order_id, *order.linked}
    alike = (order.contingency, order.symbol, order.parent) == (other.contingency, other.symbol, other.parent)
    one_side = order.contingency is Contingency.OCO or order.side is other.side
    return alike and one_side and {other.client_order_id, *other.linked} == group
