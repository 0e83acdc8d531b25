//! All the way: a world, a strategy, its activation, an order, its fill, the book, and three kinds of errors.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use crate::calls::{again, describe, in_chunks, Gateway};
use crate::events::{reason_of, EventStream, Seen};
use crate::graph::Catalogue;
use crate::pb::qmtl::broker::v1::account_service_client::AccountServiceClient;
use crate::pb::qmtl::broker::v1::order_service_client::OrderServiceClient;
use crate::pb::qmtl::broker::v1::portfolio_service_client::PortfolioServiceClient;
use crate::pb::qmtl::broker::v1::{
    Denial, GetPortfolioRequest, ListFillsRequest, OpenPaperAccountRequest, Order, OrderSide, OrderState, OrderStatus,
    OrderType, TimeInForce,
};
use crate::pb::qmtl::common::v1::{ExecutionDomain, Side};
use crate::pb::qmtl::control::v1::{control_event::Payload, StrategyState};
use crate::pb::qmtl::data::v1::data_session_service_client::DataSessionServiceClient;
use crate::pb::qmtl::data::v1::OpenDataSessionRequest;
use crate::pb::qmtl::gateway::v1::strategy_service_client::StrategyServiceClient;
use crate::pb::qmtl::gateway::v1::trading_service_client::TradingServiceClient;
use crate::pb::qmtl::gateway::v1::{
    CreateEventStreamRequest, StrategyMeta, StrategySubmission, SubmitOrderRequest, SubmitStrategyRequest, Topic,
    WatchStrategyRequest,
};
use crate::pb::qmtl::world::v1::activation_service_client::ActivationServiceClient;
use crate::pb::qmtl::world::v1::evaluation_service_client::EvaluationServiceClient;
use crate::pb::qmtl::world::v1::policy_service_client::PolicyServiceClient;
use crate::pb::qmtl::world::v1::world_service_client::WorldServiceClient;
use crate::pb::qmtl::world::v1::{
    ActivationChange, CreateWorldRequest, EvaluateRequest, GetWorldRequest, Metric, PutPolicyRequest, Session,
    SetActivationRequest, Stage,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PRESET: &str = "demo.btc.15m";
const EVIDENCE_END: i64 = 1_640_439_000; // 2021-12-25T13:30:00Z
const DAY_S: i64 = 86_400;
const PASSING: [Denial; 6] = [
    Denial::PriceStale,
    Denial::InstrumentUnknown,
    Denial::GateActivationUnknown,
    Denial::GateActivationStale,
    Denial::GateInactive,
    Denial::GateSessionLapsed,
];

pub async fn walk(gateways: &[Gateway]) -> Outcome<()> {
    let gateway = &gateways[0];
    let world = format!("rust-{:x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let request = CreateWorldRequest {
        world_id: world.clone(),
        data_presets: vec![PRESET.to_owned()],
        ..CreateWorldRequest::default()
    };
    WorldServiceClient::new(gateway.clone()).create_world(request).await?;
    println!("world {world}");
    put_policy(gateway, &world, 0.5).await?;
    let strategy = submit(gateway, &world).await?;
    follow_restart(gateways, &world).await?;
    let session = activate(gateway, &world, &strategy).await?;
    trade(gateways, &world, &strategy, session).await?;
    meet_errors(gateway, &world).await
}

async fn put_policy(gateway: &Gateway, world: &str, sharpe: f64) -> Outcome<()> {
    let gates = format!("{{gates: {{and: [\"sharpe >= {sharpe:.4}\"]}}, score: \"sharpe\"}}");
    let document = format!("data_currency: {{max_lag: 1d}}\nselection: {gates}\nevidence: claims\n");
    let request = PutPolicyRequest {
        world_id: world.to_owned(),
        document,
        make_default: true,
        ..PutPolicyRequest::default()
    };
    again(|| async { PolicyServiceClient::new(gateway.clone()).put_policy(request.clone()).await }).await?;
    Ok(())
}

/// Sends a DAG built from the catalogue and watches it until it is bound everywhere.
async fn submit(gateway: &Gateway, world: &str) -> Outcome<String> {
    let (dag, node_ids_crc32) = Catalogue::read(gateway).await?.crossing(48, 192)?;
    let nodes = dag.nodes.len();
    let meta = StrategyMeta { name: "crossing".into(), client: "rust/0.1.0".into(), ..StrategyMeta::default() };
    let submission = StrategySubmission {
        request_id: world.to_owned(), // one submission a world
        meta: Some(meta),
        dag: Some(dag),
        node_ids_crc32,
        world_ids: vec![world.to_owned()],
        ..StrategySubmission::default()
    };
    let mut stub = StrategyServiceClient::new(gateway.clone());
    let reply = again(|| async {
        let chunks = in_chunks(&submission, &submission.world_ids, |chunk| SubmitStrategyRequest { chunk })?;
        stub.clone().submit_strategy(chunks).await
    });
    let mut strategy = reply.await?.strategy.unwrap_or_default();
    let asked = WatchStrategyRequest { strategy_id: strategy.strategy_id.clone() };
    let mut watch = stub.watch_strategy(asked).await?.into_inner();
    while let Some(now) = watch.message().await? {
        strategy = now.strategy.unwrap_or_default();
    }
    if strategy.state() != StrategyState::Completed {
        return Err(format!("the strategy is {:?}", strategy.state()).into());
    }
    println!("strategy {} {:?} {nodes} nodes", strategy.strategy_id, strategy.state());
    Ok(strategy.strategy_id)
}

/// Asks for a restart of the gateway on stdout and sees the change made after it once, and no other twice.
async fn follow_restart(gateways: &[Gateway], world: &str) -> Outcome<()> {
    let (sender, mut seen) = unbounded_channel();
    let topics = vec![Topic::Policy.into(), Topic::Activation.into()];
    let request =
        CreateEventStreamRequest { world_id: world.to_owned(), topics, ..CreateEventStreamRequest::default() };
    let mut stream = EventStream::new(gateways.to_vec(), request, |seen: Seen| {
        if let Seen::State(event) | Seen::Event(event) = seen {
            if let Some(Payload::PolicyUpdated(policy)) = &event.payload {
                let _unheard_at_the_end = sender.send(policy.policy_version);
            }
        }
    });
    tokio::select! {
        lasting = stream.follow() => return Err(lasting.into()),
        outcome = change_and_see(&gateways[0], world, &mut seen) => outcome?,
    }
    println!("events {:?}", stream.counts);
    if stream.counts.gaps + stream.counts.duplicates > 0 || stream.counts.breaks == 0 {
        return Err("want no gap, no duplicate and a break".into());
    }
    Ok(())
}

async fn change_and_see(gateway: &Gateway, world: &str, seen: &mut UnboundedReceiver<u32>) -> Outcome<()> {
    for version in 1..=3 {
        if version > 1 {
            put_policy(gateway, world, 0.5 + f64::from(version) / 10_000.0).await?;
        }
        let found = timeout(Duration::from_secs(60), seen.recv()).await?;
        if found != Some(version) {
            return Err(format!("policy version {found:?} was seen, want {version}").into());
        }
        if version == 2 {
            println!("restart"); // whoever runs this kills the gateway now and says when it is back
            BufReader::new(tokio::io::stdin()).read_line(&mut String::new()).await?;
        }
    }
    Ok(())
}

/// Shows numbers the policy selects by, lets the strategy trade on paper, and answers the world's session.
async fn activate(gateway: &Gateway, world: &str, strategy: &str) -> Outcome<Session> {
    let evidence = EvaluateRequest {
        world_id: world.to_owned(),
        strategy_id: strategy.to_owned(),
        run_id: "rust-1".to_owned(),
        stage: Stage::Backtest.into(),
        metrics: vec![Metric { name: "sharpe".to_owned(), value: 1.0, ..Metric::default() }],
        dataset_fingerprint: "blake3:sample".to_owned(),
        coverage_ratio: 1.0,
        data_start: Some(Timestamp { seconds: EVIDENCE_END - 60 * DAY_S, nanos: 0 }),
        data_end: Some(Timestamp { seconds: EVIDENCE_END, nanos: 0 }),
        ..EvaluateRequest::default()
    };
    again(|| async { EvaluationServiceClient::new(gateway.clone()).evaluate(evidence.clone()).await }).await?;
    let change = ActivationChange {
        strategy_id: strategy.to_owned(),
        side: Side::Long.into(),
        active: Some(true),
        stage: Stage::Paper.into(),
        ..ActivationChange::default()
    };
    let request = SetActivationRequest {
        world_id: world.to_owned(),
        changes: vec![change],
        message: "the sample trades".to_owned(),
        ..SetActivationRequest::default()
    };
    let reply =
        again(|| async { ActivationServiceClient::new(gateway.clone()).set_activation(request.clone()).await }).await?;
    let activation = reply.activation.unwrap_or_default();
    println!("activation {:?}", activation.effective_mode());
    let found = activation.sessions.into_iter().find(|one| one.execution_domain() == ExecutionDomain::Dryrun);
    found.ok_or_else(|| "the activation has no session of DRYRUN".into())
}

/// Opens a paper account fed by the world's data session, buys once, and reads the fill and the book.
async fn trade(gateways: &[Gateway], world: &str, strategy: &str, session: Session) -> Outcome<()> {
    let gateway = &gateways[0];
    let data = OpenDataSessionRequest {
        session_id: session.session_id.clone(),
        world_id: world.to_owned(),
        preset: PRESET.to_owned(),
        start_time: session.start,
        bars_per_second: 20.0,
        ..OpenDataSessionRequest::default()
    };
    again(|| async { DataSessionServiceClient::new(gateway.clone()).open_data_session(data.clone()).await }).await?;
    let paper = OpenPaperAccountRequest {
        account: world.to_owned(),
        world_id: world.to_owned(),
        data_preset: PRESET.to_owned(),
        data_session_id: session.session_id,
        ..OpenPaperAccountRequest::default()
    };
    again(|| async { AccountServiceClient::new(gateway.clone()).open_paper_account(paper.clone()).await }).await?;
    place_and_follow(gateways, world, strategy).await?;
    let mut orders = OrderServiceClient::new(gateway.clone());
    let asked = ListFillsRequest { account: world.to_owned(), ..ListFillsRequest::default() };
    let fill = orders.list_fills(asked).await?.into_inner().fills.into_iter().next().ok_or("no fill")?;
    println!("fill {} {} at {} fee {} {}", fill.quantity, fill.symbol, fill.price, fill.fee, fill.fee_currency);
    let asked = GetPortfolioRequest { account: world.to_owned(), ..GetPortfolioRequest::default() };
    let mut portfolios = PortfolioServiceClient::new(gateway.clone());
    let book = portfolios.get_portfolio(asked).await?.into_inner().portfolio.unwrap_or_default();
    println!("equity {} {}", book.equity, book.base_currency);
    Ok(())
}

/// Sends an order and follows topic ORDERS of its world until it is filled.
async fn place_and_follow(gateways: &[Gateway], world: &str, strategy: &str) -> Outcome<()> {
    let (sender, mut filled) = unbounded_channel();
    let topics = vec![Topic::Orders.into()];
    let request =
        CreateEventStreamRequest { world_id: world.to_owned(), topics, ..CreateEventStreamRequest::default() };
    let mut stream = EventStream::new(gateways.to_vec(), request, |seen: Seen| {
        if let Seen::Step(step) = seen {
            if step.state() == OrderState::Filled {
                let _unheard_at_the_end = sender.send(step.client_order_id.clone());
            }
        }
    });
    let placing = async {
        let status = place(&gateways[0], world, strategy).await?;
        let placed = status.order.unwrap_or_default().client_order_id;
        let found = timeout(Duration::from_secs(60), filled.recv()).await?;
        if found.as_ref() != Some(&placed) {
            return Err(format!("{found:?} was filled, want {placed}").into());
        }
        Ok::<(), Box<dyn Error>>(())
    };
    tokio::select! {
        lasting = stream.follow() => return Err(lasting.into()),
        outcome = placing => outcome?,
    }
    println!("orders {:?}", stream.counts);
    if stream.counts.gaps > 0 {
        return Err("want no gap in an order".into());
    }
    Ok(())
}

/// Sends an order; until the venue has a first bar and the gate the activation, a denial says so.
async fn place(gateway: &Gateway, world: &str, strategy: &str) -> Outcome<OrderStatus> {
    for attempt in 1.. {
        let order = Order {
            account: world.to_owned(),
            world_id: world.to_owned(),
            strategy_id: strategy.to_owned(),
            client_order_id: format!("rust-{attempt}"),
            symbol: "BTC-USD".to_owned(),
            quantity: "0.01".to_owned(),
            side: OrderSide::Buy.into(),
            r#type: OrderType::Market.into(),
            time_in_force: TimeInForce::Gtc.into(),
            ..Order::default()
        };
        let request = SubmitOrderRequest { order: Some(order) };
        let reply =
            again(|| async { TradingServiceClient::new(gateway.clone()).submit_order(request.clone()).await }).await?;
        let status = reply.status.unwrap_or_default();
        if status.state() != OrderState::Denied {
            println!("order {:?}", status.state());
            return Ok(status);
        }
        if !PASSING.contains(&status.denial()) {
            return Err(format!("{:?}: {}", status.denial(), status.message).into());
        }
        sleep(Duration::from_millis(200)).await;
    }
    unreachable!("the loop has no end")
}

/// Provokes the three kinds of details: a reason, fields, and a pause.
async fn meet_errors(gateway: &Gateway, world: &str) -> Outcome<()> {
    let mut worlds = WorldServiceClient::new(gateway.clone());
    let asked = GetWorldRequest { world_id: "no-such-world".to_owned(), ..GetWorldRequest::default() };
    let unknown = failure(worlds.get_world(asked).await)?;
    if reason_of(&unknown) != "E_WORLD_UNKNOWN" {
        return Err(unknown.into());
    }
    println!("error {}", describe(&unknown));
    let (mut dag, node_ids_crc32) = Catalogue::read(gateway).await?.crossing(48, 192)?;
    dag.nodes[1].name.clear();
    let world_ids = vec![world.to_owned()];
    let submission = StrategySubmission { dag: Some(dag), node_ids_crc32, world_ids, ..StrategySubmission::default() };
    let chunks = in_chunks(&submission, &submission.world_ids, |chunk| SubmitStrategyRequest { chunk })?;
    let nameless = failure(StrategyServiceClient::new(gateway.clone()).submit_strategy(chunks).await)?;
    println!("error {}", describe(&nameless));
    let calls: Vec<_> = (0..600)
        .map(|_| {
            let (mut stub, world_id) = (worlds.clone(), world.to_owned());
            let asked = GetWorldRequest { world_id, ..GetWorldRequest::default() };
            tokio::spawn(async move { stub.get_world(asked).await.err() })
        })
        .collect();
    let mut limited = None;
    for call in calls {
        limited = call.await?.filter(|error| error.code() == Code::ResourceExhausted).or(limited);
    }
    println!("error {}", describe(&limited.ok_or("600 calls at once met no limit")?));
    Ok(())
}

fn failure<T>(outcome: Result<T, Status>) -> Outcome<Status> {
    outcome.err().ok_or_else(|| "the call should have failed".into())
}
