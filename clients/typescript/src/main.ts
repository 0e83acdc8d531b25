/**
 * A whole client of a QMTL mesh, written from proto/ alone. docs/clients.md explains it.
 *
 *   node dist/src/main.js vectors FOLDER                     check the vectors of proto/testdata
 *   node dist/src/main.js walk ADDRESS... TOKEN_FILE         submit, trade on paper and read the book
 *   node dist/src/main.js moves COUNT ADDRESS... TOKEN_FILE  move an event stream between gateways
 */
import { dial, describe } from "./calls.js";
import { moves } from "./moves.js";
import { checkVectors } from "./vectors.js";
import { walk } from "./walk.js";

async function run([act, ...args]: string[]): Promise<void> {
  if (act === "vectors") console.log("vectors", checkVectors(args[0]!));
  else if (act === "walk") await walk(dial(args));
  else if (act === "moves") await moves(dial(args.slice(1)), Number(args[0]));
  else throw new Error("usage: vectors FOLDER | walk ADDRESS... TOKEN_FILE | moves COUNT ADDRESS... TOKEN_FILE");
}

try {
  await run(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  console.error("failed:", describe(error));
  process.exit(1);
}
