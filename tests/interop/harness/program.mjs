// Programs that run beside the suite: each keeps all that it says in a log file, and none outlives the suite.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { logs } from './places.mjs';

/** Longer than anything takes on a slow machine: whoever waits so long has failed. */
export const PATIENCE = 60_000;

const running = new Set();

/** Waits for something, but not for ever. */
export async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends whatever still runs. */
export function killAll() {
  for (const program of running) program.signal('SIGKILL');
}

/** Runs a command to its end, with `stdin` typed into it. Returns what it says; throws if it does not end with 0. */
export async function run(command, args, { stdin = '', env = process.env, cwd, timeout = PATIENCE } = {}) {
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  // It may end without having read.
  child.stdin.on('error', () => {}).end(stdin);
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  try {
    const status = await within(timeout, [command, ...args].join(' '), ended);
    if (status === 0) return out;
    throw new Error(`${[command, ...args].join(' ')} ended with ${status}\n${out}${err}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** A program that stays. */
export class Program {
  #child;
  #lines = [];
  #waiting = [];
  #ended;

  /** Starts it. Its log is `output/logs/NAME.log`; a second program of that name writes on in the same file. */
  constructor(name, command, args, { env, cwd } = {}) {
    this.name = name;
    this.log = path.join(logs, `${name}.log`);
    mkdirSync(path.dirname(this.log), { recursive: true });
    const log = createWriteStream(this.log, { flags: 'a' });
    log.write(`$ ${[command, ...args].join(' ')}\n`);
    // A group of its own, so that what it starts ends with it.
    this.#child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    running.add(this);
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.pipe(log, { end: false });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      log.write(`${line}\n`);
      const next = this.#waiting.shift();
      if (next) next.resolve(line);
      else this.#lines.push(line);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`could not start: ${error.message}`));
      this.#child.once('close', (code, signal) => resolve(code ?? signal));
    }).then((status) => {
      running.delete(this);
      for (const next of this.#waiting.splice(0)) next.reject(new Error(`${name} ended with ${status}`));
      log.end(`(ended with ${status})\n`);
      return status;
    });
  }

  /** The next line on its stdout. */
  async line(timeout = PATIENCE) {
    if (this.#lines.length > 0) return this.#lines.shift();
    const line = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const gone = this.#ended.then((status) => Promise.reject(new Error(`${this.name} has ended with ${status}`)));
    return within(timeout, `a line of ${this.name}`, Promise.race([line, gone]));
  }

  /** The next line on its stdout of which `pattern` is a part; what `pattern` matched. */
  async lineWith(pattern, timeout = PATIENCE) {
    for (;;) {
      const found = pattern.exec(await this.line(timeout));
      if (found) return found;
    }
  }

  /** Types a line. */
  type(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Sends it, and whatever it started, a signal. */
  signal(signal) {
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It has ended.
    }
  }

  /** Its exit status, once it has ended. */
  ended(timeout = PATIENCE) {
    return timeout === Infinity ? this.#ended : within(timeout, `the end of ${this.name}`, this.#ended);
  }

  /** Ends it by a signal. */
  async stop(signal = 'SIGKILL') {
    this.signal(signal);
    return this.ended();
  }
}
