package io.qmtl.client;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ForwardingClientCall;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Connections with the caller's token, and errors with their google.rpc details. */
final class Calls {
  static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> TOTAL_BYTES =
      Metadata.Key.of("x-total-bytes", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> WORLD_IDS =
      Metadata.Key.of("x-world-ids", Metadata.ASCII_STRING_MARSHALLER);
  private static final long CALL_MS = 20_000;
  private static final long PAUSE_MS = 200;
  private static final int CHUNK_BYTES = 256 * 1024;

  private Calls() {}

  /** One connection a gateway; the last argument is the file of the token. */
  static List<Channel> dial(List<String> args) throws IOException {
    String bearer = "Bearer " + Files.readString(Path.of(args.get(args.size() - 1))).strip();
    List<Channel> gateways = new ArrayList<>();
    for (String address : args.subList(0, args.size() - 1)) {
      Channel plain = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build(); // TLS in prod
      gateways.add(ClientInterceptors.intercept(plain, new WithToken(bearer)));
    }
    return gateways;
  }

  /** Makes a call, and makes it again where UNAVAILABLE says that one may. */
  static <T> T again(Supplier<T> call) throws InterruptedException {
    long end = System.currentTimeMillis() + CALL_MS;
    while (true) {
      try {
        return call.get();
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE || System.currentTimeMillis() > end) {
          throw error;
        }
        Thread.sleep(retryAfterMs(error));
      }
    }
  }

  /**
   * Sends a payload that may be larger than one message. Metadata says first how much will come and which worlds it
   * names.
   */
  static <Q, R> R inChunks(
      Channel gateway,
      Message payload,
      List<String> worlds,
      Function<ByteString, Q> request,
      BiFunction<Channel, StreamObserver<R>, StreamObserver<Q>> open) {
    ByteString body = payload.toByteString();
    Metadata said = new Metadata();
    said.put(TOTAL_BYTES, Integer.toString(body.size()));
    said.put(WORLD_IDS, String.join(",", worlds));
    var reply = new CompletableFuture<R>();
    var chunks =
        open.apply(
            ClientInterceptors.intercept(gateway, MetadataUtils.newAttachHeadersInterceptor(said)),
            new StreamObserver<R>() {
              @Override
              public void onNext(R value) {
                reply.complete(value);
              }

              @Override
              public void onError(Throwable error) {
                reply.completeExceptionally(error);
              }

              @Override
              public void onCompleted() {}
            });
    for (int at = 0; at < body.size() && !reply.isDone(); at += CHUNK_BYTES) {
      chunks.onNext(request.apply(body.substring(at, Math.min(body.size(), at + CHUNK_BYTES))));
    }
    chunks.onCompleted();
    try {
      return reply.join();
    } catch (CompletionException failed) {
      throw failed.getCause() instanceof StatusRuntimeException error ? error : failed;
    }
  }

  /** An error with its details: reason, fields, pause. */
  static String describe(StatusRuntimeException error) {
    List<String> parts = new ArrayList<>();
    parts.add(error.getStatus().getCode() + ": " + error.getStatus().getDescription());
    details(error, ErrorInfo.class).forEach(info -> parts.add("reason " + info.getReason() + " " + info.getMetadataMap()));
    details(error, BadRequest.class)
        .flatMap(bad -> bad.getFieldViolationsList().stream())
        .forEach(one -> parts.add("field " + one.getField() + ": " + one.getDescription()));
    details(error, RetryInfo.class).forEach(info -> parts.add("retry after " + retryAfterMs(error) + " ms"));
    return String.join("; ", parts);
  }

  /** Details of one type. One that cannot be read is of a newer peer and is left out. */
  static <T extends Message> Stream<T> details(StatusRuntimeException error, Class<T> type) {
    com.google.rpc.Status whole = StatusProto.fromThrowable(error);
    List<T> found = new ArrayList<>();
    for (Any detail : whole == null ? List.<Any>of() : whole.getDetailsList()) {
      if (detail.is(type)) {
        try {
          found.add(detail.unpack(type));
        } catch (InvalidProtocolBufferException unreadable) {
          continue;
        }
      }
    }
    return found.stream();
  }

  /** The pause an error asks for in its RetryInfo. */
  private static long retryAfterMs(StatusRuntimeException error) {
    return details(error, RetryInfo.class)
        .map(info -> info.getRetryDelay().getSeconds() * 1000 + info.getRetryDelay().getNanos() / 1_000_000)
        .findFirst()
        .orElse(PAUSE_MS);
  }

  /** Sends the caller's token unless the call has one of its own, as that of an event stream has. */
  private record WithToken(String bearer) implements ClientInterceptor {
    @Override
    public <A, B> ClientCall<A, B> interceptCall(MethodDescriptor<A, B> method, CallOptions options, Channel next) {
      return new ForwardingClientCall.SimpleForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        public void start(Listener<B> replies, Metadata headers) {
          if (!headers.containsKey(AUTHORIZATION)) {
            headers.put(AUTHORIZATION, bearer);
          }
          super.start(replies, headers);
        }
      };
    }
  }
}
