//! An event stream of a world that goes on across breaks, restarts and gateways.
//!
//! The rule is the one at Topic in event.proto: an event is applied when its revision is the last one of the same (payload,
//! key) plus one. One that is not higher is dropped, any other is a gap and is healed by reading the state again. Topic
//! ORDERS, whose steps have frames of their own, is not followed here.

use std::collections::HashMap;
use std::mem::{discriminant, Discriminant};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::calls::Gateway;
use crate::pb::qmtl::control::v1::{control_event::Payload, ControlEvent};
use crate::pb::qmtl::gateway::v1::event_service_client::EventServiceClient;
use crate::pb::qmtl::gateway::v1::{frame::Body, CreateEventStreamRequest, Frame, NoticeKind, SubscribeEventsRequest, Topic};

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

/// What revisions are counted by: the payload's type and the event's key.
type Key = (Discriminant<Payload>, String);

/// What a client keeps of a topic: the last revision of each key, and whether its snapshot had them all.
#[derive(Default)]
struct TopicState {
    revisions: HashMap<Key, u64>,
    is_truncated: bool,
}

/// Follows the events of a world over the gateways of one mesh. `apply` takes every state and event, in order.
pub struct EventStream<A: FnMut(&ControlEvent, bool)> {
    pub counts: Counts,
    gateways: Vec<Gateway>,
    request: CreateEventStreamRequest,
    apply: A,
    known: HashMap<i32, TopicState>, // by number of the topic
    token: String,  // of the stream; "" until one was made, and after it was refused
    resume: String, // the place after the last frame; "" asks for the state
}

impl<A: FnMut(&ControlEvent, bool)> EventStream<A> {
    pub fn new(gateways: Vec<Gateway>, request: CreateEventStreamRequest, apply: A) -> Self {
        let (token, resume) = (String::new(), String::new());
        Self { counts: Counts::default(), gateways, request, apply, known: HashMap::new(), token, resume }
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
            Some(Body::Snapshot(snapshot)) => {
                let revisions = snapshot.states.iter().filter_map(|state| Some((key_of(state)?.1, state.revision)));
                let whole = TopicState { revisions: revisions.collect(), is_truncated: snapshot.truncated };
                self.known.insert(snapshot.topic, whole);
                snapshot.states.iter().for_each(|state| (self.apply)(state, true));
            }
            Some(Body::Events(batch)) => {
                if !batch.events.iter().all(|event| self.follows(event)) {
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

    /// Applies an event that follows, drops one that was seen, and asks for the state where one is missing.
    fn follows(&mut self, event: &ControlEvent) -> bool {
        let Some((topic, key)) = key_of(event) else { return true }; // of a newer gateway
        let unseen = || TopicState { is_truncated: true, ..TopicState::default() };
        let state = self.known.entry(topic.into()).or_insert_with(unseen);
        let is_first = state.is_truncated && !state.revisions.contains_key(&key);
        let seen = state.revisions.get(&key).copied().unwrap_or(0);
        if event.revision <= seen {
            self.counts.duplicates += 1;
            return true;
        }
        if !is_first && event.revision > seen + 1 {
            self.counts.gaps += 1;
            self.counts.reloads += 1;
            self.resume.clear();
            return false;
        }
        state.revisions.insert(key, event.revision);
        self.counts.events += 1;
        (self.apply)(event, false);
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
    Some((topic, (discriminant(payload), event.key.clone())))
}
