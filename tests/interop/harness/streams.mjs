// What a real client asks of streams, with something in between: progress in time, a silence that nothing cuts off, and
// the end of a session. The server is `everything`, which sends nothing to keep a stream alive (`passPlainly`).

import { setTimeout as sleep } from 'node:timers/promises';

import { assert, assertEqual } from './checks.mjs';

/** Longer than any deadline: Vestibule's for a request, nginx's for an answer, and those of idle connections. */
const SILENCE = 65_000;

/** The stream on which the server speaks unasked, as its witness has it. */
export async function assertOpensStream(server, clientId) {
  const isTheirs = (seen) => seen.method === 'GET' && seen.values('x-vestibule-client').includes(clientId);
  const begun = () => server.witness.requests.findLast((seen) => isTheirs(seen) && seen.status !== undefined);
  // The client opens it behind the first answers. mcp-remote has a look first, in a session of its own.
  for (let rounds = 0; !begun() && rounds < 100; rounds++) await sleep(50);
  assertEqual(begun()?.status, 200, 'the stream that the client opened');
  return begun();
}

/** Nothing comes for a long time, and then something does, on that very stream. Returns the seconds. */
export async function assertStreamOutlives(server, client, stream) {
  const from = client.events.length;
  const started = Date.now();
  await sleep(SILENCE);
  const unasked = ({ method }) => method === 'notifications/message';
  assertEqual(client.events.slice(from).filter(({ event }) => unasked(event)), [], 'what came in the silence');
  assert(stream.isOpen, 'the stream has ended in the silence');
  await client.say({ tool: 'toggle-simulated-logging', arguments: {} });
  const { at } = await client.told('a message after the silence', unasked, from);
  assert(stream.isOpen, 'the stream has ended');
  const [session] = stream.values('mcp-session-id');
  assertEqual(server.witness.of(session).filter(({ method }) => method === 'GET').length, 1, 'streams of the session');
  await client.say({ tool: 'toggle-simulated-logging', arguments: {} });
  return Math.round((at - started) / 1000);
}

/** A tool that takes six seconds tells of each third as it goes on, and not of all at the end. */
export async function assertProgressInTime(client) {
  const from = client.events.length;
  const order = { tool: 'trigger-long-running-operation', arguments: { duration: 6, steps: 3 } };
  const answer = await client.say(order);
  const ended = Date.now();
  assert(answer.startsWith('Long running operation completed'), answer);
  const told = client.events.slice(from).filter(({ event }) => event.progress !== undefined);
  // The third comes together with the end, after which some clients listen no more.
  assertEqual(told.map(({ event }) => event.progress).slice(0, 2), [1, 2], 'the progress');
  // Four seconds; on a busy machine some may be lost, but not all.
  assert(ended - told[0].at > 1000, `the first progress came ${ended - told[0].at} ms before the end`);
}

/** The session is there until the client ends it, and not afterwards. */
export async function assertEnds(server, client, stream, byDelete) {
  const [session] = stream.values('mcp-session-id');
  assertEqual(await server.ping(session), 200, 'a ping of the session, asked behind the guard');
  await client.say({ end: true });
  if (!byDelete) return 'and the client forgets its session';
  const deleted = server.witness.of(session).filter(({ method }) => method === 'DELETE');
  assertEqual(deleted.map(({ status }) => status), [200], 'the DELETE of the session');
  assertEqual(await server.ping(session), 400, 'a ping of the session that was ended');
  return 'DELETE ends the session';
}
