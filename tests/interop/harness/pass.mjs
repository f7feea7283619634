// Hands a request on as it came, and the answer back as it comes: nothing is held.

import { request as send } from 'node:http';

/** What some servers send so that nobody takes a silent stream for a dead one. */
const KEPT_ALIVE = /^: ?keepalive\n\n/gm;

/** Hands it on to the server at `origin`, with these raw headers. `onStatus` hears of the answer's status. */
export function pass(origin, request, headers, response, onStatus = () => {}) {
  ask(origin, request, headers, response, (answer) => {
    onStatus(answer.statusCode);
    response.writeHead(answer.statusCode, answer.rawHeaders);
    // A stream begins with its head, long before its first event.
    response.flushHeaders();
    answer.pipe(response);
  });
}

/** What is left out where a server is simple. */
const LEFT_OUT = ['connection', 'keep-alive', 'transfer-encoding', 'x-accel-buffering'];

/**
 * The same as the simplest of servers would answer, which are the hardest on those in between: what has no length ends
 * with its connection (RFC 9112 6.3), nothing keeps a silent stream alive, and nobody asks nginx not to buffer it.
 */
export function passPlainly(origin, request, headers, response, onStatus) {
  ask(origin, request, headers, response, (answer) => {
    onStatus(answer.statusCode);
    const raw = answer.rawHeaders;
    const kept = raw.filter((_, at) => !LEFT_OUT.includes(raw[at - (at % 2)].toLowerCase()));
    response.useChunkedEncodingByDefault = false;
    response.writeHead(answer.statusCode, [...kept, 'Connection', 'close']);
    response.flushHeaders();
    answer.setEncoding('latin1');
    answer.on('data', (text) => response.write(text.replace(KEPT_ALIVE, ''), 'latin1'));
    answer.on('end', () => response.end());
  });
}

function ask(origin, request, headers, response, onAnswer) {
  const { hostname, port } = new URL(origin);
  const behind = send({ hostname, port, method: request.method, path: request.url, headers, agent: false });
  behind.on('response', onAnswer);
  behind.on('error', () => response.destroy());
  response.on('close', () => behind.destroy());
  request.pipe(behind);
}
