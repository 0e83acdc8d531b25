package io.qmtl.client;

import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.util.List;

/**
 * A whole client of a QMTL mesh, written from proto/ alone. docs/clients.md explains it.
 *
 * <pre>
 *   java -jar target/client.jar vectors FOLDER              check the vectors of proto/testdata
 *   java -jar target/client.jar walk ADDRESS... TOKEN_FILE  submit, trade on paper and read the book
 * </pre>
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    List<String> rest = List.of(args).subList(Math.min(1, args.length), args.length);
    try {
      if (args.length == 2 && args[0].equals("vectors")) {
        System.out.println("vectors " + Vectors.check(Path.of(args[1])));
      } else if (args.length >= 3 && args[0].equals("walk")) {
        new Walk(Calls.dial(rest)).run();
      } else {
        throw new IllegalArgumentException("usage: vectors FOLDER | walk ADDRESS... TOKEN_FILE");
      }
    } catch (StatusRuntimeException error) {
      System.err.println("failed: " + Calls.describe(error));
      System.exit(1);
    } catch (RuntimeException error) {
      System.err.println("failed: " + error);
      System.exit(1);
    }
    System.exit(0); // channels keep threads
  }
}
