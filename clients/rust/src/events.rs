//! An event stream of a world that goes on across breaks, restarts and gateways.
//!
//! The rule is the one at Topic in event.proto: an event is applied when its revision is the last one of the same (payload,
//! key) plus one. One that is not higher is dropped, any other is a gap and is healed by reading the state again.

use std::collections::HashMap;
use std::mem::{discriminant, Discriminant};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::calls::Gateway;
use crate::pb::qmtl::broker::v1::{OrderEvent, OrderStatus};
use crate::pb::qmtl::control::v1::{control_event::Payload, ControlEvent};
use crate::pb::qmtl::gateway::v1::event_service_client::EventServiceClient;
use crate::pb::qmtl::gateway::v1::{
    frame::Body, CreateEventStreamRequest, EventBatch, Frame, NoticeKind, Snapshot, SubscribeEventsRequest, Topic,
};

const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How a stream went. `gaps` and `duplicates` stay 0 as long as the gateways keep their promise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub events: u32,
    pub reloads: u32,
    pub breaks: u32,
    pub gaps: u32,
    pub duplicates: u32,
}

/// What a stream brings, in order.
pub enum Seen<'a> {
    /// What a key of the topic is now.
    State(&'a ControlEvent),
    /// A change of it.
    Event(&'a ControlEvent),
    /// Topic ORDERS: an open order.
    Order(&'a OrderStatus),
    /// Topic ORDERS: a step of an order.
    Step(&'a OrderEvent),
}

/// What revisions are counted by: the payload's type and the event's key, or an order.
#[derive(Eq, Hash, PartialEq)]
enum Key {
    Event(Discriminant<Payload>, String),
    Order(String, String, String),
}

/// What a client keeps of a topic: the last revision of each key, and whether its snapshot had them all.
#[derive(Default)]
struct TopicState {
    revisions: HashMap<Key, u64>,
    is_truncated: bool,
}

/// Follows the events of a world over the gateways of one mesh. `apply` takes every state and event, in order.
pub struct EventStream<A: FnMut(Seen)> {
    pub counts: Counts,
    gateways: Vec<Gateway>,
    request: CreateEventStreamRequest,
    apply: A,
    known: HashMap<i32, TopicState>, // by number of the topic
    token: String,  // of the stream; "" until one was made, and after it was refused
    resume: String, // the place after the last frame; "" asks for the state
    goes_on: bool,  // the last frame was a snapshot that the next one adds to
}

impl<A: FnMut(Seen)> EventStream<A> {
    pub fn new(gateways: Vec<Gateway>, request: CreateEventStreamRequest, apply: A) -> Self {
        let (token, resume) = (String::new(), String::new());
        Self { counts: Counts::default(), gateways, request, apply, known: HashMap::new(), token, resume, goes_on: false }
    }

    /// Runs until it is dropped, and ends with the first error that no retry can mend.
    pub async fn follow(&mut self) -> Status {
        let (mut at, mut wait) = (0, WAIT_FIRST);
        loop {
            let before = self.counts.events;
            if let Err(error) = self.once(at).await {
                if let Some(lasting) = self.mend(error) {
                    return lasting;
                }
            }
            self.counts.breaks += 1;
            at = (at + 1) % self.gateways.len();
            wait = if self.counts.events > before { WAIT_FIRST } else { WAIT_MAX.min(2 * wait) };
            tokio::time::sleep(wait).await;
        }
    }

    /// Follows one call to its end.
    async fn once(&mut self, at: usize) -> Result<(), Status> {
        let mut stub = EventServiceClient::new(self.gateways[at].clone());
        self.goes_on = false;
        if self.token.is_empty() {
            let reply = stub.create_event_stream(self.request.clone()).await?.into_inner();
            self.token = reply.stream.unwrap_or_default().stream_token;
        }
        let mut asked = Request::new(SubscribeEventsRequest { resume_token: self.resume.clone() });
        let own = MetadataValue::<Ascii>::try_from(format!("Bearer {}", self.token));
        let own = own.map_err(|error| Status::internal(error.to_string()))?;
        asked.metadata_mut().insert("authorization", own); // in place of the user's token
        let mut replies = stub.subscribe_events(asked).await?.into_inner();
        while let Some(reply) = replies.message().await? {
            if self.take(reply.frame.unwrap_or_default()) {
                break;
            }
        }
        Ok(())
    }

    /// Applies one frame. True: go on with a new call.
    fn take(&mut self, frame: Frame) -> bool {
        match frame.body {
            Some(Body::Snapshot(snapshot)) => self.load(&snapshot),
            Some(Body::Events(batch)) => {
                if !self.follow_batch(&batch) {
                    return true;
                }
                self.resume = batch.resume_token;
            }
            Some(Body::Bookmark(bookmark)) => self.resume = bookmark.resume_token,
            Some(Body::Notice(notice)) => {
                let is_over = notice.kind() == NoticeKind::GoingAway;
                if !notice.resume_token.is_empty() {
                    self.resume = notice.resume_token;
                }
                return is_over;
            }
            None => {} // of a newer gateway
        }
        false
    }

    /// Takes the state of a topic, or what one frame has of it.
    fn load(&mut self, snapshot: &Snapshot) {
        if !self.goes_on {
            let fresh = TopicState { is_truncated: snapshot.truncated, ..TopicState::default() };
            self.known.insert(snapshot.topic, fresh);
        }
        self.goes_on = snapshot.more;
        let revisions = &mut self.known.entry(snapshot.topic).or_default().revisions;
        for state in &snapshot.states {
            if let Some((_, key)) = key_of(state) {
                revisions.insert(key, state.revision);
            }
            (self.apply)(Seen::State(state));
        }
        for state in &snapshot.orders {
            let order = state.order.clone().unwrap_or_default();
            let key = Key::Order(order.account, order.strategy_id, order.client_order_id);
            revisions.insert(key, state.order_event_number.into());
            (self.apply)(Seen::Order(state));
        }
    }

    /// Whether every event and step of a frame followed.
    fn follow_batch(&mut self, batch: &EventBatch) -> bool {
        let events = batch.events.iter().all(|event| {
            let Some((topic, key)) = key_of(event) else { return true }; // of a newer gateway
            self.follows(topic, key, event.revision, Seen::Event(event))
        });
        events && batch.order_events.iter().all(|step| {
            let key = Key::Order(step.account.clone(), step.strategy_id.clone(), step.client_order_id.clone());
            self.follows(Topic::Orders, key, step.order_event_number.into(), Seen::Step(step))
        })
    }

    /// Applies an event that follows, drops one that was seen, and asks for the state where one is missing.
    fn follows(&mut self, topic: Topic, key: Key, revision: u64, seen_now: Seen) -> bool {
        let unseen = || TopicState { is_truncated: true, ..TopicState::default() };
        let state = self.known.entry(topic.into()).or_insert_with(unseen);
        let is_first = state.is_truncated && !state.revisions.contains_key(&key);
        let seen = state.revisions.get(&key).copied().unwrap_or(0);
        if revision <= seen {
            self.counts.duplicates += u32::from(topic != Topic::Orders); // a snapshot of orders may have shown it
            return true;
        }
        if !is_first && revision > seen + 1 {
            self.counts.gaps += 1;
            self.counts.reloads += 1;
            self.resume.clear();
            return false;
        }
        state.revisions.insert(key, revision);
        self.counts.events += 1;
        (self.apply)(seen_now);
        true
    }

    /// Prepares the next call after an error. An error that another call would meet again comes back.
    fn mend(&mut self, error: Status) -> Option<Status> {
        match error.code() {
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => {}
            Code::Unknown if reason_of(&error).is_empty() => {} // how tonic says that the connection broke
            Code::Unauthenticated if !self.token.is_empty() => self.token.clear(),
            _ if ["E_RESUME_TOKEN", "E_RESUME_SCOPE"].contains(&reason_of(&error).as_str()) => {
                self.resume.clear();
                self.counts.reloads += 1;
            }
            _ => return Some(error),
        }
        None
    }
}

/// The stable code of an error, from its google.rpc.ErrorInfo; "" when it has none.
pub fn reason_of(error: &Status) -> String {
    error.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The topic of an event, by the table in event.proto, and its key. None: of a newer gateway.
fn key_of(event: &ControlEvent) -> Option<(Topic, Key)> {
    let payload = event.payload.as_ref()?;
    let topic = match payload {
        Payload::ActivationUpdated(_) => Topic::Activation,
        Payload::WorldQueuesUpdated(_) | Payload::QueueUpdated(_) => Topic::Queues,
        Payload::PolicyUpdated(_) | Payload::DecisionUpdated(_) => Topic::Policy,
        Payload::StrategyStateChanged(_) | Payload::EvaluationRunUpdated(_) => Topic::Strategy,
        Payload::SentinelWeightUpdated(_) => Topic::Sentinel,
        _ => return None,
    };
    Some((topic, Key::Event(discriminant(payload), event.key.clone())))
}
