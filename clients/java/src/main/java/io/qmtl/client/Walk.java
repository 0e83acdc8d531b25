package io.qmtl.client;

import com.google.protobuf.Timestamp;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.qmtl.broker.v1.AccountServiceGrpc;
import io.qmtl.broker.v1.Denial;
import io.qmtl.broker.v1.GetPortfolioRequest;
import io.qmtl.broker.v1.ListFillsRequest;
import io.qmtl.broker.v1.OpenPaperAccountRequest;
import io.qmtl.broker.v1.Order;
import io.qmtl.broker.v1.OrderEvent;
import io.qmtl.broker.v1.OrderServiceGrpc;
import io.qmtl.broker.v1.OrderSide;
import io.qmtl.broker.v1.OrderState;
import io.qmtl.broker.v1.OrderStatus;
import io.qmtl.broker.v1.OrderType;
import io.qmtl.broker.v1.PortfolioServiceGrpc;
import io.qmtl.broker.v1.TimeInForce;
import io.qmtl.common.v1.ExecutionDomain;
import io.qmtl.common.v1.Side;
import io.qmtl.control.v1.ControlEvent;
import io.qmtl.control.v1.StrategyState;
import io.qmtl.data.v1.DataSessionServiceGrpc;
import io.qmtl.data.v1.OpenDataSessionRequest;
import io.qmtl.gateway.v1.CreateEventStreamRequest;
import io.qmtl.gateway.v1.Strategy;
import io.qmtl.gateway.v1.StrategyMeta;
import io.qmtl.gateway.v1.StrategyServiceGrpc;
import io.qmtl.gateway.v1.StrategySubmission;
import io.qmtl.gateway.v1.SubmitOrderRequest;
import io.qmtl.gateway.v1.SubmitStrategyRequest;
import io.qmtl.gateway.v1.SubmitStrategyResponse;
import io.qmtl.gateway.v1.Topic;
import io.qmtl.gateway.v1.TradingServiceGrpc;
import io.qmtl.gateway.v1.WatchStrategyRequest;
import io.qmtl.world.v1.ActivationChange;
import io.qmtl.world.v1.ActivationEnvelope;
import io.qmtl.world.v1.ActivationServiceGrpc;
import io.qmtl.world.v1.CreateWorldRequest;
import io.qmtl.world.v1.EvaluateRequest;
import io.qmtl.world.v1.EvaluationServiceGrpc;
import io.qmtl.world.v1.GetWorldRequest;
import io.qmtl.world.v1.Metric;
import io.qmtl.world.v1.PolicyServiceGrpc;
import io.qmtl.world.v1.PutPolicyRequest;
import io.qmtl.world.v1.Session;
import io.qmtl.world.v1.SetActivationRequest;
import io.qmtl.world.v1.Stage;
import io.qmtl.world.v1.WorldServiceGrpc;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** All the way: a world, a strategy, its activation, an order, its fill, the book, and three kinds of errors. */
final class Walk {
  private static final String PRESET = "demo.btc.15m";
  private static final Set<Denial> PASSING =
      Set.of(
          Denial.DENIAL_PRICE_STALE, Denial.DENIAL_INSTRUMENT_UNKNOWN, Denial.DENIAL_GATE_ACTIVATION_UNKNOWN,
          Denial.DENIAL_GATE_ACTIVATION_STALE, Denial.DENIAL_GATE_INACTIVE, Denial.DENIAL_GATE_SESSION_LAPSED);

  private final List<Channel> gateways;
  private final Channel gateway;
  private final String worldId = "java-" + UUID.randomUUID().toString().substring(0, 12);

  Walk(List<Channel> gateways) {
    this.gateways = gateways;
    this.gateway = gateways.get(0);
  }

  void run() throws InterruptedException, IOException {
    var worlds = WorldServiceGrpc.newBlockingStub(gateway);
    worlds.createWorld(CreateWorldRequest.newBuilder().setWorldId(worldId).addDataPresets(PRESET).build());
    say("world " + worldId);
    putPolicy(0.5);
    String strategyId = submit();
    followRestart();
    trade(strategyId, activate(strategyId));
    meetErrors();
  }

  private void putPolicy(double sharpe) throws InterruptedException {
    String gates = "{gates: {and: [\"sharpe >= %.4f\"]}, score: \"sharpe\"}".formatted(sharpe);
    String document = "data_currency: {max_lag: 1d}\nselection: " + gates + "\nevidence: claims\n";
    var request = PutPolicyRequest.newBuilder().setWorldId(worldId).setDocument(document).setMakeDefault(true).build();
    Calls.again(() -> PolicyServiceGrpc.newBlockingStub(gateway).putPolicy(request));
  }

  /** Sends a DAG built from the catalogue and watches it until it is bound everywhere. */
  private String submit() throws InterruptedException {
    var dag = new Graph(gateway).crossing(48, 192);
    var stub = StrategyServiceGrpc.newBlockingStub(gateway);
    var submission =
        StrategySubmission.newBuilder()
            .setRequestId(UUID.randomUUID().toString())
            .setMeta(StrategyMeta.newBuilder().setName("crossing").setClient("java/0.1.0"))
            .setDag(dag)
            .setNodeIdsCrc32(Graph.checksum(dag))
            .addWorldIds(worldId)
            .build();
    Strategy strategy =
        Calls.again(
                () ->
                    Calls.inChunks(
                        gateway,
                        submission,
                        submission.getWorldIdsList(),
                        chunk -> SubmitStrategyRequest.newBuilder().setChunk(chunk).build(),
                        (Channel channel, StreamObserver<SubmitStrategyResponse> reply) ->
                            StrategyServiceGrpc.newStub(channel).submitStrategy(reply)))
            .getStrategy();
    var watch = stub.watchStrategy(WatchStrategyRequest.newBuilder().setStrategyId(strategy.getStrategyId()).build());
    while (watch.hasNext()) { // it ends with the strategy's own end
      strategy = watch.next().getStrategy();
    }
    if (strategy.getState() != StrategyState.STRATEGY_STATE_COMPLETED) {
      throw new IllegalStateException("the strategy is " + strategy.getState());
    }
    say("strategy " + strategy.getStrategyId() + " " + strategy.getState() + " " + dag.getNodesCount() + " nodes");
    return strategy.getStrategyId();
  }

  /** Asks for a restart of the gateway on stdout and sees the change made after it once, and no other twice. */
  private void followRestart() throws InterruptedException, IOException {
    BlockingQueue<Integer> seen = new LinkedBlockingQueue<>();
    var request =
        CreateEventStreamRequest.newBuilder()
            .setWorldId(worldId)
            .addTopics(Topic.TOPIC_POLICY)
            .addTopics(Topic.TOPIC_ACTIVATION)
            .build();
    var stream =
        new EventStream(
            gateways,
            request,
            (event, isState) -> {
              if (event.hasPolicyUpdated()) {
                seen.add(event.getPolicyUpdated().getPolicyVersion());
              }
            });
    Thread following = new Thread(() -> followUntilClosed(stream));
    following.start();
    for (int version = 1; version <= 3; version++) {
      if (version > 1) {
        putPolicy(0.5 + version / 10_000.0);
      }
      Integer found = seen.poll(60, TimeUnit.SECONDS);
      if (found == null || found != version) {
        throw new IllegalStateException("policy version " + found + " was seen, want " + version);
      }
      if (version == 2) {
        say("restart"); // whoever runs this kills the gateway now and says when it is back
        while (System.in.read() != '\n') {}
      }
    }
    stream.close();
    following.join();
    say("events " + stream.counts());
    if (stream.counts().gaps() + stream.counts().duplicates() > 0 || stream.counts().breaks() < 2) {
      throw new IllegalStateException("want no gap, no duplicate and a break");
    }
  }

  private static void followUntilClosed(EventStream stream) {
    try {
      stream.follow();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } catch (StatusRuntimeException error) {
      System.err.println("failed: " + Calls.describe(error));
    }
  }

  /** Shows numbers the policy selects by, lets the strategy trade on paper, and answers the world's session. */
  private Session activate(String strategyId) throws InterruptedException {
    Instant end = Instant.parse("2021-12-25T13:30:00Z");
    var evidence =
        EvaluateRequest.newBuilder()
            .setWorldId(worldId)
            .setStrategyId(strategyId)
            .setRunId("java-1")
            .setStage(Stage.STAGE_BACKTEST)
            .addMetrics(Metric.newBuilder().setName("sharpe").setValue(1.0))
            .setDatasetFingerprint("blake3:sample")
            .setCoverageRatio(1.0)
            .setDataStart(stamp(end.minus(Duration.ofDays(60))))
            .setDataEnd(stamp(end))
            .build();
    Calls.again(() -> EvaluationServiceGrpc.newBlockingStub(gateway).evaluate(evidence));
    var change =
        ActivationChange.newBuilder()
            .setStrategyId(strategyId)
            .setSide(Side.SIDE_LONG)
            .setActive(true)
            .setStage(Stage.STAGE_PAPER);
    var request =
        SetActivationRequest.newBuilder().setWorldId(worldId).addChanges(change).setMessage("the sample trades").build();
    ActivationEnvelope activation =
        Calls.again(() -> ActivationServiceGrpc.newBlockingStub(gateway).setActivation(request)).getActivation();
    say("activation " + activation.getEffectiveMode());
    return activation.getSessionsList().stream()
        .filter(one -> one.getExecutionDomain() == ExecutionDomain.EXECUTION_DOMAIN_DRYRUN)
        .findFirst()
        .orElseThrow();
  }

  /** Opens a paper account fed by the world's data session, buys once, and reads the fill and the book. */
  private void trade(String strategyId, Session session) throws InterruptedException {
    var data =
        OpenDataSessionRequest.newBuilder()
            .setSessionId(session.getSessionId())
            .setWorldId(worldId)
            .setPreset(PRESET)
            .setStartTime(session.getStart())
            .setBarsPerSecond(20)
            .build();
    Calls.again(() -> DataSessionServiceGrpc.newBlockingStub(gateway).openDataSession(data));
    var paper =
        OpenPaperAccountRequest.newBuilder()
            .setAccount(worldId)
            .setWorldId(worldId)
            .setDataPreset(PRESET)
            .setDataSessionId(session.getSessionId())
            .build();
    Calls.again(() -> AccountServiceGrpc.newBlockingStub(gateway).openPaperAccount(paper));
    placeAndFollow(strategyId);
    var orders = OrderServiceGrpc.newBlockingStub(gateway);
    var fill = orders.listFills(ListFillsRequest.newBuilder().setAccount(worldId).build()).getFills(0);
    say("fill " + fill.getQuantity() + " " + fill.getSymbol() + " at " + fill.getPrice() + " fee " + fill.getFee());
    var asked = GetPortfolioRequest.newBuilder().setAccount(worldId).build();
    var book = PortfolioServiceGrpc.newBlockingStub(gateway).getPortfolio(asked).getPortfolio();
    say("equity " + book.getEquity() + " " + book.getBaseCurrency());
  }

  /** Sends an order and follows topic ORDERS of its world until it is filled. */
  private void placeAndFollow(String strategyId) throws InterruptedException {
    BlockingQueue<OrderEvent> steps = new LinkedBlockingQueue<>();
    var request = CreateEventStreamRequest.newBuilder().setWorldId(worldId).addTopics(Topic.TOPIC_ORDERS).build();
    var stream =
        new EventStream(
            gateways,
            request,
            new EventStream.Apply() {
              @Override
              public void apply(ControlEvent event, boolean isState) {}

              @Override
              public void step(OrderEvent step) {
                steps.add(step);
              }
            });
    Thread following = new Thread(() -> followUntilClosed(stream));
    following.start();
    String placed = place(strategyId).getOrder().getClientOrderId();
    boolean isFilled = false;
    while (!isFilled) {
      OrderEvent step = steps.poll(60, TimeUnit.SECONDS);
      if (step == null) {
        throw new IllegalStateException("no step of " + placed + " came for 60 s");
      }
      isFilled = step.getClientOrderId().equals(placed) && step.getState() == OrderState.ORDER_STATE_FILLED;
    }
    stream.close();
    following.join();
    say("orders " + stream.counts());
    if (stream.counts().gaps() > 0) {
      throw new IllegalStateException("want no gap in an order");
    }
  }

  /** Sends an order; until the venue has a first bar and the gate the activation, a denial says so. */
  private OrderStatus place(String strategyId) throws InterruptedException {
    Order.Builder order =
        Order.newBuilder()
            .setAccount(worldId)
            .setWorldId(worldId)
            .setStrategyId(strategyId)
            .setSymbol("BTC-USD")
            .setQuantity("0.01")
            .setSide(OrderSide.ORDER_SIDE_BUY)
            .setType(OrderType.ORDER_TYPE_MARKET)
            .setTimeInForce(TimeInForce.TIME_IN_FORCE_GTC);
    for (int attempt = 1; ; attempt++) {
      var request = SubmitOrderRequest.newBuilder().setOrder(order.setClientOrderId("java-" + attempt)).build();
      OrderStatus status = Calls.again(() -> TradingServiceGrpc.newBlockingStub(gateway).submitOrder(request)).getStatus();
      if (status.getState() != OrderState.ORDER_STATE_DENIED) {
        say("order " + status.getState());
        return status;
      }
      if (!PASSING.contains(status.getDenial())) {
        throw new IllegalStateException(status.getDenial() + ": " + status.getMessage());
      }
      Thread.sleep(200);
    }
  }

  /** Provokes the three kinds of details: a reason, fields, and a pause. */
  private void meetErrors() throws InterruptedException {
    var worlds = WorldServiceGrpc.newBlockingStub(gateway);
    var unknown = failure(() -> worlds.getWorld(GetWorldRequest.newBuilder().setWorldId("no-such-world").build()));
    if (!EventStream.reasonOf(unknown).equals("E_WORLD_UNKNOWN")) {
      throw unknown;
    }
    say("error " + Calls.describe(unknown));
    var dag = new Graph(gateway).crossing(48, 192).toBuilder();
    dag.getNodesBuilder(1).setName("");
    var crc32 = Graph.checksum(dag.build());
    var submission = StrategySubmission.newBuilder().setDag(dag).setNodeIdsCrc32(crc32).addWorldIds(worldId).build();
    var nameless =
        failure(
            () ->
                Calls.inChunks(
                    gateway,
                    submission,
                    submission.getWorldIdsList(),
                    chunk -> SubmitStrategyRequest.newBuilder().setChunk(chunk).build(),
                    (Channel channel, StreamObserver<SubmitStrategyResponse> reply) ->
                        StrategyServiceGrpc.newStub(channel).submitStrategy(reply)));
    say("error " + Calls.describe(nameless));
    meetRateLimit();
  }

  private void meetRateLimit() throws InterruptedException {
    var stub = WorldServiceGrpc.newFutureStub(gateway);
    var asked = GetWorldRequest.newBuilder().setWorldId(worldId).build();
    var calls = java.util.stream.IntStream.range(0, 600).mapToObj(at -> stub.getWorld(asked)).toList();
    StatusRuntimeException limited = null;
    for (var call : calls) {
      try {
        call.get();
      } catch (ExecutionException failed) {
        if (failed.getCause() instanceof StatusRuntimeException error
            && error.getStatus().getCode() == Status.Code.RESOURCE_EXHAUSTED) {
          limited = error;
        }
      }
    }
    if (limited == null) {
      throw new IllegalStateException("600 calls at once met no limit");
    }
    say("error " + Calls.describe(limited));
  }

  private static StatusRuntimeException failure(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      return error;
    }
    throw new IllegalStateException("the call should have failed");
  }

  private static Timestamp stamp(Instant instant) {
    return Timestamp.newBuilder().setSeconds(instant.getEpochSecond()).setNanos(instant.getNano()).build();
  }

  private static void say(String line) {
    System.out.println(line);
  }
}
