// What every client program of this directory is to the suite: for each line on stdin it calls the tool `echo` with
// that line, and prints one line of JSON, `{"answer": ...}` or `{"error": ...}`.

import { createInterface } from 'node:readline';

/** Answers lines until there are no more. `call` takes what to say and returns the tool's text. */
export async function serveLines(call) {
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { answer: await call(line) };
    } catch (error) {
      answer = { error: String(error?.stack ?? error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  process.exit(0);
}
