// Ports for programs that want to be told one.

import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { blame } from './checks.mjs';
import { PATIENCE } from './program.mjs';

/** Below the ports that the kernel gives to whoever asks for any, so that nobody else of this machine gets one of these. */
const END = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0]);
const BEGIN = END - 10_000;

const given = new Set();

/** A port on loopback that nobody listens on, and that this run gives to nobody else. */
export async function freePort() {
  for (;;) {
    const port = BEGIN + Math.floor(Math.random() * (END - BEGIN));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Waits until a program listens on a port of loopback. */
export async function isListening(port, program) {
  const attempt = () =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() && true));
      socket.on('error', () => resolve(false));
    });
  let hasEnded = false;
  program.ended(Infinity).then(() => (hasEnded = true));
  const deadline = Date.now() + PATIENCE;
  while (!(await attempt())) {
    const why = hasEnded ? 'has ended' : Date.now() > deadline && `does not listen on port ${port}`;
    if (why) throw blame(new Error(`${program.name} ${why}`), [program.name]);
    await sleep(20);
  }
}
