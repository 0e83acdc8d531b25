package io.qmtl.client;

import com.google.rpc.ErrorInfo;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.qmtl.broker.v1.OrderEvent;
import io.qmtl.broker.v1.OrderStatus;
import io.qmtl.control.v1.ControlEvent;
import io.qmtl.gateway.v1.CreateEventStreamRequest;
import io.qmtl.gateway.v1.EventServiceGrpc;
import io.qmtl.gateway.v1.Frame;
import io.qmtl.gateway.v1.NoticeKind;
import io.qmtl.gateway.v1.Snapshot;
import io.qmtl.gateway.v1.SubscribeEventsRequest;
import io.qmtl.gateway.v1.Topic;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An event stream of a world that goes on across breaks, restarts and gateways.
 *
 * <p>The rule is the one at Topic in event.proto: an event is applied when its revision is the last one of the same
 * (payload, key) plus one. One that is not higher is dropped, any other is a gap and is healed by reading the state again.
 */
public final class EventStream {
  private static final long WAIT_FIRST_MS = 50;
  private static final long WAIT_MAX_MS = 2_000;
  private static final Set<Status.Code> PASSING =
      Set.of(
          Status.Code.UNAVAILABLE,
          Status.Code.RESOURCE_EXHAUSTED,
          Status.Code.DEADLINE_EXCEEDED,
          Status.Code.CANCELLED,
          Status.Code.ABORTED);

  /** The table of payloads in event.proto. What is not in it is of a newer gateway. */
  private static final Map<ControlEvent.PayloadCase, Topic> TOPICS =
      Map.of(
          ControlEvent.PayloadCase.ACTIVATION_UPDATED, Topic.TOPIC_ACTIVATION,
          ControlEvent.PayloadCase.WORLD_QUEUES_UPDATED, Topic.TOPIC_QUEUES,
          ControlEvent.PayloadCase.QUEUE_UPDATED, Topic.TOPIC_QUEUES,
          ControlEvent.PayloadCase.POLICY_UPDATED, Topic.TOPIC_POLICY,
          ControlEvent.PayloadCase.DECISION_UPDATED, Topic.TOPIC_POLICY,
          ControlEvent.PayloadCase.STRATEGY_STATE_CHANGED, Topic.TOPIC_STRATEGY,
          ControlEvent.PayloadCase.EVALUATION_RUN_UPDATED, Topic.TOPIC_STRATEGY,
          ControlEvent.PayloadCase.SENTINEL_WEIGHT_UPDATED, Topic.TOPIC_SENTINEL);

  private final List<Channel> gateways;
  private final CreateEventStreamRequest request;
  private final Apply apply;
  private final Map<Topic, TopicState> known = new HashMap<>();
  private final Context.CancellableContext open = Context.current().withCancellation();
  private String token = ""; // of the stream; "" until one was made, and after it was refused
  private String resume = ""; // the place after the last frame; "" asks for the state
  private boolean goesOn; // the last frame was a snapshot that the next one adds to
  private int events;
  private int reloads;
  private int breaks;
  private int gaps;
  private int duplicates;

  /** Takes every state and event, in order. */
  public interface Apply {
    void apply(ControlEvent event, boolean isState);

    /** Topic ORDERS: an open order of the state. */
    default void order(OrderStatus state) {}

    /** Topic ORDERS: a step of an order. */
    default void step(OrderEvent step) {}
  }

  /** What a client keeps of a topic: the last revision of each key, and whether its snapshot had them all. */
  private record TopicState(Map<String, Long> revisions, boolean isTruncated) {}

  /** How a stream went. gaps and duplicates stay 0 as long as the gateways keep their promise. */
  public record Counts(int events, int reloads, int breaks, int gaps, int duplicates) {}

  /** A stream over gateways of one mesh. */
  public EventStream(List<Channel> gateways, CreateEventStreamRequest request, Apply apply) {
    this.gateways = gateways;
    this.request = request;
    this.apply = apply;
  }

  public Counts counts() {
    return new Counts(events, reloads, breaks, gaps, duplicates);
  }

  public void close() {
    open.cancel(null);
  }

  /** Runs until close(). Throws the first error that no retry can mend. */
  public void follow() throws InterruptedException {
    long wait = WAIT_FIRST_MS;
    for (int at = 0; !open.isCancelled(); at = (at + 1) % gateways.size()) {
      int before = events;
      try {
        once(gateways.get(at));
      } catch (StatusRuntimeException error) {
        if (!open.isCancelled()) {
          mend(error);
        }
      }
      breaks++;
      wait = events > before ? WAIT_FIRST_MS : Math.min(2 * wait, WAIT_MAX_MS);
      Thread.sleep(wait);
    }
  }

  /** Follows one call to its end. */
  private void once(Channel gateway) {
    Context.CancellableContext call = open.withCancellation();
    Context before = call.attach();
    goesOn = false;
    try {
      var stub = EventServiceGrpc.newBlockingStub(gateway);
      if (token.isEmpty()) {
        token = stub.createEventStream(request).getStream().getStreamToken();
      }
      Metadata headers = new Metadata();
      headers.put(Calls.AUTHORIZATION, "Bearer " + token); // in place of the user's token
      var asked = SubscribeEventsRequest.newBuilder().setResumeToken(resume).build();
      var subscribing = stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
      var replies = subscribing.subscribeEvents(asked);
      while (replies.hasNext()) {
        if (take(replies.next().getFrame())) {
          return;
        }
      }
    } finally {
      call.detach(before);
      call.cancel(null);
    }
  }

  /** Applies one frame. True: go on with a new call. */
  private boolean take(Frame frame) {
    switch (frame.getBodyCase()) {
      case SNAPSHOT -> load(frame.getSnapshot());
      case EVENTS -> {
        for (ControlEvent event : frame.getEvents().getEventsList()) {
          Topic topic = TOPICS.get(event.getPayloadCase()); // null: of a newer gateway
          if (topic != null && !follows(topic, keyOf(event), event.getRevision(), () -> apply.apply(event, false))) {
            return true;
          }
        }
        for (OrderEvent step : frame.getEvents().getOrderEventsList()) {
          String key = orderKey(step.getAccount(), step.getStrategyId(), step.getClientOrderId());
          if (!follows(Topic.TOPIC_ORDERS, key, step.getOrderEventNumber(), () -> apply.step(step))) {
            return true;
          }
        }
        resume = frame.getEvents().getResumeToken();
      }
      case BOOKMARK -> resume = frame.getBookmark().getResumeToken();
      case NOTICE -> {
        String place = frame.getNotice().getResumeToken();
        resume = place.isEmpty() ? resume : place;
        return frame.getNotice().getKind() == NoticeKind.NOTICE_KIND_GOING_AWAY;
      }
      default -> {} // of a newer gateway
    }
    return false;
  }

  /** Takes the state of a topic, or what one frame has of it. */
  private void load(Snapshot snapshot) {
    if (!goesOn) {
      known.put(snapshot.getTopic(), new TopicState(new HashMap<>(), snapshot.getTruncated()));
    }
    TopicState whole = known.get(snapshot.getTopic());
    goesOn = snapshot.getMore();
    for (ControlEvent state : snapshot.getStatesList()) {
      whole.revisions().put(keyOf(state), state.getRevision());
      apply.apply(state, true);
    }
    for (OrderStatus state : snapshot.getOrdersList()) {
      var order = state.getOrder();
      String key = orderKey(order.getAccount(), order.getStrategyId(), order.getClientOrderId());
      whole.revisions().put(key, (long) state.getOrderEventNumber());
      apply.order(state);
    }
  }

  /** Applies an event that follows, drops one that was seen, and asks for the state where one is missing. */
  private boolean follows(Topic topic, String key, long revision, Runnable applied) {
    TopicState state = known.computeIfAbsent(topic, unseen -> new TopicState(new HashMap<>(), true));
    long seen = state.revisions().getOrDefault(key, 0L);
    boolean isFirst = state.isTruncated() && !state.revisions().containsKey(key);
    if (revision <= seen) {
      duplicates += topic == Topic.TOPIC_ORDERS ? 0 : 1; // a snapshot of orders may have shown it
      return true;
    }
    if (!isFirst && revision > seen + 1) {
      gaps++;
      reloads++;
      resume = "";
      return false;
    }
    state.revisions().put(key, revision);
    events++;
    applied.run();
    return true;
  }

  /** Prepares the next call after an error. Throws one that another call would meet again. */
  private void mend(StatusRuntimeException error) {
    Status.Code code = error.getStatus().getCode();
    if (PASSING.contains(code)) {
      return;
    }
    if (code == Status.Code.UNAUTHENTICATED && !token.isEmpty()) {
      token = "";
      return;
    }
    if (!Set.of("E_RESUME_TOKEN", "E_RESUME_SCOPE").contains(reasonOf(error))) {
      throw error;
    }
    resume = "";
    reloads++;
  }

  /** The stable code of an error, from its google.rpc.ErrorInfo; "" when it has none. */
  public static String reasonOf(StatusRuntimeException error) {
    return Calls.details(error, ErrorInfo.class).map(ErrorInfo::getReason).findFirst().orElse("");
  }

  /** What revisions are counted by: the payload's type and the event's key. */
  private static String keyOf(ControlEvent event) {
    return event.getPayloadCase() + "/" + event.getKey();
  }

  /** What the numbers of an order's events are counted by. */
  private static String orderKey(String account, String strategyId, String clientOrderId) {
    return account + "/" + strategyId + "/" + clientOrderId;
  }
}
