"""Messages to values and back: the only place that reads a broker message and decides with it.

Refuses what is malformed here, once, by field. Numbers are decimal text at this door and exact inside; a quantity
that is well-formed but breaks a rule of the instrument is a denial and is left to the domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE, RATE_SCALE
from brokerage.domain.orders.events import OrderEvent, fee_decimal
from brokerage.domain.orders.lists import require_list
from brokerage.domain.orders.order import (
    EXTERNAL,
    OPERATOR,
    OWN_NAMES,
    OWN_TAGS,
    Contingency,
    Order,
    OrderName,
    OrderShare,
    Owner,
    PositionSide,
    Side,
    TrailOffsetType,
    require_well_formed,
    subject_of,
    venue_order_id,
)
from brokerage.domain.orders.record import share_fees, share_units
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import GateStamp
from brokerage.domain.trading.replacement import Change, Replace
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.decimals import format_decimal, parse_decimal, to_scaled
from qmtl.core.errors import Conflict, refused
from qmtl.core.netting.attribution import booked_after
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum, optional_text, require_int64, require_text
from qmtl.wire.instants import ns_from_proto, ns_to_proto

TAGS_MAX = 16
TEXT_MAX = 128
SHARES_MAX = 2_000

SIDES = {orderpb.ORDER_SIDE_BUY: Side.BUY, orderpb.ORDER_SIDE_SELL: Side.SELL}
TYPES = {orderpb.OrderType.Value(f"ORDER_TYPE_{kind.name}"): kind for kind in OrderType}
TIFS = {orderpb.TimeInForce.Value(f"TIME_IN_FORCE_{tif.name}"): tif for tif in TimeInForce}
TRAIL_OFFSET_TYPES = {orderpb.TrailOffsetType.Value(f"TRAIL_OFFSET_TYPE_{kind.name}"): kind for kind in TrailOffsetType}
CONTINGENCIES = {orderpb.Contingency.Value(f"CONTINGENCY_{one.name}"): one for one in Contingency}
OWN_TAGS_FOLDED = frozenset(tag.casefold() for tag in OWN_TAGS)
POSITION_SIDES = {
    orderpb.POSITION_SIDE_UNSPECIFIED: PositionSide.BOTH,
    orderpb.POSITION_SIDE_BOTH: PositionSide.BOTH,
}


def order_from_proto(message: orderpb.Order) -> Order:
    """The client's order as a value. Raises InvalidRequest naming the field."""
    _require_single(message)
    return _named(_order_from_proto(message))


def orders_from_proto(messages: Iterable[orderpb.Order]) -> list[Order]:
    """The orders of a list as values. Raises InvalidRequest naming the field."""
    orders = [_named(_order_from_proto(message)) for message in messages]
    require_list(orders)
    return orders


def listed_orders_from_proto(messages: Sequence[orderpb.Order]) -> list[Order]:
    """Orders by themselves and lists of orders that follow each other. Raises InvalidRequest naming the field."""
    orders = [_order_from_proto(message) for message in messages]
    for list_id, group in groupby(orders, lambda order: order.list_id):
        together = list(group)
        if list_id:
            require_list(together)
    for order, message in zip(orders, messages, strict=True):
        if not order.list_id:
            _require_single(message)
    return orders


def netted_from_proto(message: orderpb.Order) -> Order:
    """An order for several strategies. Raises InvalidRequest naming the field."""
    _require_single(message)
    if not 0 < len(message.shares) <= SHARES_MAX:
        raise refused("E_FIELD", "order.shares", len(message.shares), f"1 to {SHARES_MAX}")
    return _order_from_proto(
        message, tuple(_share(each, f"order.shares[{n}]") for n, each in enumerate(message.shares))
    )


def _share(message: orderpb.OrderShare, where: str) -> OrderShare:
    return OrderShare(
        require_text(message.world_id, f"{where}.world_id", TEXT_MAX),
        require_text(message.strategy_id, f"{where}.strategy_id", TEXT_MAX),
        parse_decimal(message.quantity, f"{where}.quantity"),
        require_int64(message.epoch, f"{where}.epoch"),
        message.reduce_only,
    )


def _order_from_proto(message: orderpb.Order, shares: tuple[OrderShare, ...] = ()) -> Order:
    if message.shares and not shares:
        raise refused("E_ORDER_MALFORMED", "order.shares", len(message.shares), "none but in SubmitNettedOrder")
    order = Order(
        owner=_owner(message, "order"),
        client_order_id=require_text(message.client_order_id, "order.client_order_id", TEXT_MAX),
        symbol=require_text(message.symbol, "order.symbol", TEXT_MAX),
        side=known_enum(SIDES, message.side, "order.side"),
        quantity=parse_decimal(message.quantity, "order.quantity"),
        type=known_enum(TYPES, message.type, "order.type"),
        tif=known_enum(TIFS, message.time_in_force, "order.time_in_force"),
        limit_price=_optional(message.limit_price, "order.limit_price"),
        stop_price=_optional(message.stop_price, "order.stop_price"),
        trail_offset=_optional(message.trail_offset, "order.trail_offset"),
        trail_offset_type=_trail_offset_type(message.trail_offset_type),
        limit_offset=_optional(message.limit_offset, "order.limit_offset"),
        expire_at_ns=ns_from_proto(message.expire_at, "order.expire_at") if message.HasField("expire_at") else None,
        decided_ns=ns_from_proto(message.decided_at, "order.decided_at") if message.HasField("decided_at") else None,
        reduce_only=message.reduce_only,
        post_only=message.post_only,
        position_side=known_enum(POSITION_SIDES, message.position_side, "order.position_side"),
        venue=optional_text(message.venue, "order.venue", TEXT_MAX),
        tags=_tags(message.tags),
        strategy_version=message.strategy_version,
        position_target=_optional(message.position_target, "order.position_target"),
        list_id=_optional_name(message.list_id, "order.list_id"),
        parent=_optional_name(message.parent_client_order_id, "order.parent_client_order_id"),
        contingency=known_enum(CONTINGENCIES, message.contingency, "order.contingency")
        if message.contingency
        else None,
        linked=tuple(
            require_text(link, "order.linked_client_order_ids", TEXT_MAX) for link in message.linked_client_order_ids
        ),
        shares=shares,
    )
    require_well_formed(order)
    return order


def order_to_proto(order: Order) -> orderpb.Order:
    """The inverse of order_from_proto."""
    return orderpb.Order(
        **subject_of(order),
        side=f"ORDER_SIDE_{order.side.name}",
        type=f"ORDER_TYPE_{order.type.name}",
        quantity=format_decimal(order.quantity),
        limit_price=_written(order.limit_price),
        stop_price=_written(order.stop_price),
        trail_offset=_written(order.trail_offset),
        trail_offset_type=f"TRAIL_OFFSET_TYPE_{order.trail_offset_type.name}" if order.trail_offset_type else None,
        limit_offset=_written(order.limit_offset),
        time_in_force=f"TIME_IN_FORCE_{order.tif.name}",
        expire_at=None if order.expire_at_ns is None else ns_to_proto(order.expire_at_ns),
        decided_at=None if order.decided_ns is None else ns_to_proto(order.decided_ns),
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        position_side=orderpb.POSITION_SIDE_BOTH,
        tags=order.tags,
        strategy_version=order.strategy_version,
        position_target=_written(order.position_target),
        list_id=order.list_id,
        parent_client_order_id=order.parent,
        contingency=f"CONTINGENCY_{order.contingency.name}" if order.contingency else None,
        linked_client_order_ids=order.linked,
        shares=[
            orderpb.OrderShare(
                world_id=share.world_id,
                strategy_id=share.strategy_id,
                quantity=format_decimal(share.quantity),
                epoch=share.epoch,
                reduce_only=share.reduce_only,
            )
            for share in order.shares
        ],
    )


def gate_from_proto(message: orderentryservicepb.GateStamp) -> GateStamp:
    """The gate's stamp. Nothing in it has a default: an order without a whole stamp was not gated."""
    weight = to_scaled(parse_decimal(message.weight, "gate.weight"), RATE_SCALE)
    if not 0 <= weight <= RATE_ONE:
        raise refused("E_GATE_STAMP", "gate.weight", message.weight, "0 to 1")
    domain = known_enum(DOMAINS, message.execution_domain, "gate.execution_domain")
    return GateStamp(require_int64(message.fence_epoch, "gate.fence_epoch"), weight, domain, message.reduce_only)


def replace_from_proto(message: orderentryservicepb.ReplaceOrderRequest) -> Replace:
    """A client's wish to change an order. Raises InvalidRequest naming the field."""
    paths, terms = set(message.update_mask.paths), message.terms
    if not paths or paths - _CHANGEABLE:
        want = ", ".join(sorted(_CHANGEABLE))
        raise refused("E_REPLACE_MASK", "update_mask", ", ".join(sorted(paths)), f"some of {want}")
    change = Change(
        parse_decimal(terms.quantity, "terms.quantity") if "quantity" in paths else None,
        parse_decimal(terms.limit_price, "terms.limit_price") if "limit_price" in paths else None,
        parse_decimal(terms.stop_price, "terms.stop_price") if "stop_price" in paths else None,
        ns_from_proto(terms.expire_at, "terms.expire_at") if "expire_at" in paths else None,
    )
    return Replace(name_from_proto(message.key), require_text(message.request_id, "request_id", TEXT_MAX), change)


_CHANGEABLE = frozenset({"quantity", "limit_price", "stop_price", "expire_at"})


def name_from_proto(message: orderpb.OrderKey, where: str = "key") -> OrderName:
    """The order a key names. Raises InvalidRequest by field."""
    return OrderName(
        _owner(message, where), require_text(message.client_order_id, f"{where}.client_order_id", TEXT_MAX)
    )


def status_to_proto(stored: StoredOrder) -> orderpb.OrderStatus:
    """An order with what has become of it."""
    record, instrument = stored.record, stored.record.instrument
    sent = any(event.kind is EventKind.SUBMITTED for event in stored.events)
    status = orderpb.OrderStatus(
        order=order_to_proto(stored.order),
        order_id=record.id,
        origin=_origin(stored.order),
        state=f"ORDER_STATE_{record.state.name}",
        view=f"ORDER_VIEW_{record.public.name}",
        unresolved=record.unresolved,
        denial=None if record.denial is None else f"DENIAL_{record.denial.name}",
        message=record.detail,
        working_quantity=_quantity_text(instrument, record.quantity),
        cumulative_quantity=_quantity_text(instrument, record.filled),
        fees=_fees(instrument, stored.events),
        fence_epoch=stored.epoch,
        created_at=ns_to_proto(record.created_ns),
        updated_at=ns_to_proto(record.updated_ns),
        venue_order_id=venue_order_id(record.id, record.generation) if sent else "",
        order_event_number=record.seq,
        share_fills=_share_fills(stored) if stored.order.shares else (),
    )
    if record.filled and instrument is not None:
        status.average_price = format_decimal(instrument.average_price(record.notional, record.filled))
    return status


def _share_fills(stored: StoredOrder) -> list[orderpb.ShareFill]:
    """What each share of a netted order has got, from its fills."""
    instrument, shares = stored.record.instrument, stored.order.shares
    if instrument is None:
        return []
    units, before = share_units(stored.order, instrument), [0] * len(shares)
    money: list[Decimal] = [Decimal(0)] * len(shares)
    fees: list[dict[str, Decimal]] = [{} for _ in shares]
    for event in stored.events:
        if event.fill is not None:
            after = booked_after(units, instrument.lot, event.cumulative, before)
            booked = [now - was for now, was in zip(after, before, strict=True)]
            for n, (part, fee) in enumerate(zip(booked, share_fees(instrument, event.fill, booked), strict=True)):
                money[n] += instrument.quantity_decimal(part) * instrument.price_decimal(event.fill.price)
                paid = fee_decimal(instrument, replace(event.fill, fee=fee))
                fees[n][event.fill.fee_currency] = fees[n].get(event.fill.fee_currency, Decimal(0)) + paid
            before = after
    return [
        orderpb.ShareFill(
            world_id=share.world_id,
            strategy_id=share.strategy_id,
            quantity=format_decimal(instrument.quantity_decimal(got)),
            notional=format_decimal(money[n]),
            fees={currency: format_decimal(fee) for currency, fee in fees[n].items() if fee},
        )
        for n, (share, got) in enumerate(zip(shares, before, strict=True))
        if got
    ]


def _origin(order: Order) -> orderpb.OrderOrigin:
    if order.owner.strategy_id == EXTERNAL:
        return orderpb.ORDER_ORIGIN_EXTERNAL
    by_hand = order.owner.strategy_id == OPERATOR or OPERATOR in order.tags
    return orderpb.ORDER_ORIGIN_OPERATOR if by_hand else orderpb.ORDER_ORIGIN_STRATEGY


def event_to_proto(order: Order, instrument: Instrument | None, event: OrderEvent, sequence: int) -> orderpb.OrderEvent:
    """One step of an order, at its place in the account's log. The fill's own number is set by the caller."""
    message = orderpb.OrderEvent(
        account=order.owner.account,
        world_id=order.owner.world_id,
        strategy_id=order.owner.strategy_id,
        client_order_id=order.client_order_id,
        order_event_number=event.seq,
        kind=f"ORDER_EVENT_KIND_{event.kind.name}",
        state=f"ORDER_STATE_{event.state.name}",
        message=event.detail,
        denial=None if event.denial is None else f"DENIAL_{event.denial.name}",
        cumulative_quantity=_quantity_text(instrument, event.cumulative),
        venue_time=ns_to_proto(event.fill.venue_ns if event.fill else event.at_ns),
        receive_time=ns_to_proto(event.received_ns),
        account_event_number=sequence,
    )
    if event.fill is not None and instrument is not None:
        message.fill.CopyFrom(fill_to_proto(order, instrument, event, 0))
    return message


def fill_to_proto(order: Order, instrument: Instrument, event: OrderEvent, sequence: int) -> orderpb.Fill:
    """One booked execution, at its place in the account's fills. The event must be a fill."""
    fill = event.fill
    if fill is None:
        raise Conflict("E_NOT_A_FILL", f"event {event.seq} of order {event.order_id} is {event.kind.value}")
    return orderpb.Fill(
        **subject_of(order),
        side=f"ORDER_SIDE_{order.side.name}",
        trade_id=fill.trade_id,
        quantity=_quantity_text(instrument, fill.quantity),
        price=format_decimal(instrument.price_decimal(fill.price)),
        fee=format_decimal(fee_decimal(instrument, fill)),
        fee_currency=fill.fee_currency,
        liquidity_side=f"LIQUIDITY_SIDE_{fill.liquidity.name}",
        venue_time=ns_to_proto(fill.venue_ns),
        receive_time=ns_to_proto(event.received_ns),
        flag=None if event.flag is None else f"FILL_FLAG_{event.flag.name}",
        account_fill_number=sequence,
        account_time=ns_to_proto(event.at_ns),
    )


def _owner(message: orderpb.Order | orderpb.OrderKey, where: str) -> Owner:
    return Owner(
        require_text(message.account, f"{where}.account", TEXT_MAX),
        require_text(message.world_id, f"{where}.world_id", TEXT_MAX),
        require_text(message.strategy_id, f"{where}.strategy_id", TEXT_MAX),
    )


def _require_single(message: orderpb.Order) -> None:
    """What ties orders together has no meaning outside a list."""
    if message.list_id or message.parent_client_order_id or message.contingency or message.linked_client_order_ids:
        raise refused("E_ORDER_MALFORMED", "order.list_id", message.list_id, "no list, parent or contingency by itself")


def _contingency(number: orderpb.Contingency) -> Contingency | None:
    return known_enum(CONTINGENCIES, number, "order.contingency") if number else None


def _optional_name(value: str, field: str) -> str:
    return require_text(value, field, TEXT_MAX) if value else ""


def _trail_offset_type(number: orderpb.TrailOffsetType) -> TrailOffsetType | None:
    if number == orderpb.TRAIL_OFFSET_TYPE_UNSPECIFIED:
        return None
    return known_enum(TRAIL_OFFSET_TYPES, number, "order.trail_offset_type")


def _named(order: Order) -> Order:
    """An order whose id is a client's. Raises InvalidRequest (E_NAME): brokerage finds its own again by theirs."""
    if order.client_order_id.casefold().startswith(OWN_NAMES):  # SQLite finds a name whatever its case
        want = f"an id that begins with none of {', '.join(OWN_NAMES)}: those are brokerage's own"
        raise refused("E_NAME", "order.client_order_id", order.client_order_id, want)
    return order


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    found = tuple(require_text(tag, "order.tags", TEXT_MAX) for tag in tags)
    for tag in found:
        if tag.casefold() in OWN_TAGS_FOLDED:  # SQLite finds a tag whatever its case
            raise refused("E_NAME", "order.tags", tag, "another tag: orders of brokerage's own have it")
    if len(found) > TAGS_MAX:
        raise refused("E_NAME", "order.tags", f"{len(found)} tags", f"at most {TAGS_MAX}")
    return found


def _optional(value: str, field: str) -> Decimal | None:
    return parse_decimal(value, field) if value else None


def _written(value: Decimal | None) -> str:
    return "" if value is None else format_decimal(value)


def _quantity_text(instrument: Instrument | None, quantity: int) -> str:
    return format_decimal(instrument.quantity_decimal(quantity)) if instrument is not None else "0"


def _fees(instrument: Instrument | None, events: Iterable[OrderEvent]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for event in events:
        fill = event.fill
        if fill is not None and instrument is not None:
            sums[fill.fee_currency] = sums.get(fill.fee_currency, Decimal(0)) + fee_decimal(instrument, fill)
    return {currency: format_decimal(fee) for currency, fee in sums.items()}
