// A client program that takes orders (`clients/lines.mjs`), and what it tells in between.

import { startClient } from './client.mjs';
import { PATIENCE, within } from './program.mjs';

/** Longer than any silence that is waited for. */
const SILENCE = 10 * PATIENCE;

/** A client in conversation with one server. */
export class Conversation {
  #program;
  #answers = [];
  #waiting = [];
  #listeners = [];

  /** What it told, with the time of each: `{at, event}`. */
  events = [];

  /** Starts it. `person` is at its door; `env` is set besides. */
  constructor(log, name, command, person, env) {
    this.log = log;
    this.#program = startClient(log, name, command, person, env);
    this.#listen().catch((error) => this.#fail(error));
  }

  async #listen() {
    for (;;) {
      const { event, ...answer } = JSON.parse(await this.#program.line(SILENCE));
      if (event) this.#tell({ at: Date.now(), event });
      else (this.#waiting.shift() ?? this.#keep).call(this, answer);
    }
  }

  #keep(answer) {
    this.#answers.push(answer);
  }

  #tell(told) {
    this.events.push(told);
    for (const listener of this.#listeners) listener();
  }

  #fail(error) {
    const said = { error: error.message };
    for (const waiting of this.#waiting.splice(0)) waiting(said);
    this.#keep(said);
  }

  /** Says something to it: text for `echo`, or an order. Returns its answer, or that of another order that is done first. */
  async say(line) {
    this.#program.type(typeof line === 'string' ? line : JSON.stringify(line));
    const { answer, error } = await within(PATIENCE, `an answer of ${this.log}`, this.#next());
    if (error) throw new Error(error);
    return answer;
  }

  #next() {
    const answer = this.#answers.shift();
    return answer ? Promise.resolve(answer) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The first event from number `from` on that is as it should be, once it is there. */
  async told(what, isRight, from = 0) {
    const find = () => this.events.slice(from).find(({ event }) => isRight(event));
    let listener;
    const found = new Promise((resolve) => {
      listener = () => find() && resolve(find());
      this.#listeners.push(listener);
      listener();
    });
    try {
      return await within(PATIENCE, `${what} at ${this.log}`, found);
    } finally {
      this.#listeners.splice(this.#listeners.indexOf(listener), 1);
    }
  }

  async stop() {
    await this.#program.stop();
  }
}
