// Hands a request on as it came, and the answer back as it comes: nothing is read, changed or held.

import { request as send } from 'node:http';

/** Hands it on to the server at `origin`, with these raw headers. `onStatus` hears of the answer's status. */
export function pass(origin, request, headers, response, onStatus = () => {}) {
  const { hostname, port } = new URL(origin);
  const behind = send({ hostname, port, method: request.method, path: request.url, headers, agent: false });
  behind.on('response', (answer) => {
    onStatus(answer.statusCode);
    response.writeHead(answer.statusCode, answer.rawHeaders);
    // A stream begins with its head, long before its first event.
    response.flushHeaders();
    answer.pipe(response);
  });
  behind.on('error', () => response.destroy());
  response.on('close', () => behind.destroy());
  request.pipe(behind);
}
