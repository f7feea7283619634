// What every client program of this directory is to the suite: for each line on stdin it calls the tool `echo` with
// that line, and prints one line of JSON, `{"answer": ...}` or `{"error": ...}`.
//
// Some also take orders, which are lines of JSON: `{"tool": ..., "arguments": ...}` calls a tool, whose progress is told as
// it comes (`{"event": ...}`), and `{"end": true}` ends the session at the server. Whatever the server says unasked they
// tell as an event too.

import { createInterface } from 'node:readline';

/**
 * Answers lines until there are no more. `call` takes what to say and returns the tool's text; `obey` takes an order and
 * returns the answer.
 */
export async function serveLines(call, obey) {
  const isOrder = (line) => obey && line.startsWith('{');
  for await (const line of createInterface({ input: process.stdin })) {
    // An order may wait for the next one.
    const said = attempt(() => (isOrder(line) ? obey(JSON.parse(line)) : call(line))).then(say);
    if (!isOrder(line)) await said;
  }
  process.exit(0);
}

async function attempt(call) {
  try {
    return { answer: await call() };
  } catch (error) {
    return { error: String(error?.stack ?? error) };
  }
}

/** Prints a line of JSON. */
export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/**
 * The same for the client of an SDK. `connect` takes a function through which the new client has to go before it connects,
 * and returns it connected; `request` calls a tool in that SDK's way.
 */
export async function serveClient(connect, request) {
  let connecting;
  const listening = (client) => {
    client.fallbackNotificationHandler = async ({ method, params }) => say({ event: { method, params } });
    return client;
  };
  const connected = () => {
    connecting ??= connect(listening).catch((error) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
  const call = async (name, args, options) => {
    const result = await request(await connected(), { name, arguments: args }, options);
    return result.content.map(({ text }) => text).join('\n');
  };
  const onprogress = ({ progress }) => say({ event: { progress } });
  await serveLines(
    (text) => call('echo', { text }),
    async (order) => {
      if (!order.end) return call(order.tool, order.arguments, { onprogress });
      const client = await connected();
      // A program on stdio is told to go, and ends the session itself.
      await (client.transport.terminateSession?.() ?? client.close());
      return 'ended';
    },
  );
}
