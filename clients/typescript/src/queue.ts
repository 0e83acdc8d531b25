/** Values that one side puts and another awaits, and lines that whoever runs this program answers. */
import { createInterface } from "node:readline";

const LONGEST_MS = 60_000;

export class Queue<T> {
  private readonly values: T[] = [];
  private wake: () => void = () => undefined;
  private failed: unknown;

  put(value: T): void {
    this.values.push(value);
    this.wake();
  }

  fail(error: unknown): void {
    this.failed = error;
    this.wake();
  }

  /** The next value. Throws what fail() was given, or after a minute. */
  async take(): Promise<T> {
    if (this.values.length === 0 && this.failed === undefined) {
      const timeout = new Promise<void>((_, reject) => setTimeout(() => reject(new Error("nothing came")), LONGEST_MS).unref());
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), timeout]);
    }
    if (this.failed !== undefined) throw this.failed;
    return this.values.shift()!;
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Prints a request and waits for the line that answers it. */
export async function answer(request: string): Promise<void> {
  console.log(request);
  await lines.next();
}
