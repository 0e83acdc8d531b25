/**
 * Sends an event stream to a random gateway again and again while the world changes, and counts what it saw. In the middle
 * it asks on stdout that a gateway be killed.
 */
import type { Transport } from "@connectrpc/connect";
import { Topic } from "../gen/qmtl/gateway/v1/event_pb.js";
import { EventStream } from "./events.js";
import { answer, Queue } from "./queue.js";
import { newWorld, putPolicy } from "./walk.js";

export async function moves(gateways: Transport[], count: number): Promise<void> {
  const worldId = await newWorld(gateways[0]!);
  const seen = new Queue<number>();
  const stream = new EventStream(gateways, { worldId, topics: [Topic.POLICY] }, (event) => {
    if (event.payload.case === "policyUpdated") seen.put(event.payload.value.policyVersion); // the topic has decisions too
  });
  const following = stream.follow().catch((error: unknown) => seen.fail(error));
  let last = await seen.take();
  const follow = async (): Promise<void> => {
    const found = await seen.take();
    if (found !== last + 1) throw new Error(`version ${found} was seen after ${last}`);
    last = found;
  };
  for (let move = 1; move <= count; move += 1) {
    if (move === Math.floor(count / 2)) await answer("kill");
    await putPolicy(gateways[0]!, worldId, 0.5 + move / 10_000);
    stream.move(Math.floor(Math.random() * gateways.length));
    if (Math.random() < 0.5) await follow(); // half of the moves come before the event, half after it
  }
  while (last < count + 1) await follow();
  stream.close();
  await following;
  console.log("moves", count, JSON.stringify(stream.counts));
  if (stream.counts.gaps + stream.counts.duplicates > 0) throw new Error("want no gap and no duplicate");
}
