// Checks: each has a name, and says what it saw hold or why it does not.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { logs, root } from './places.mjs';

/** How much of a log is shown when something fails. */
const LINES_SHOWN = 40;

/** Says whose logs to look at, by name, when a check failed by this error. */
export function blame(error, parties) {
  return Object.assign(error, { parties });
}

/** Thrown by a check that cannot be made here; says why. */
export class Skipped extends Error {}

/** Throws unless `holds`. */
export function assert(holds, message) {
  if (!holds) throw new Error(message);
}

/** Throws unless both are the same, to the letter. */
export function assertEqual(actual, expected, what) {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(value));
  assert(left === right, `${what}: ${left}, where it must be ${right}`);
}

/** Prints one line per check as it ends, and counts. */
export class Report {
  #failures = [];
  #passed = 0;
  #skipped = 0;

  /** Waits for a check and prints its line. */
  async check(name, outcome) {
    const started = Date.now();
    const line = (mark, text) => {
      const seconds = `${((Date.now() - started) / 1000).toFixed(1)} s`;
      console.log(`${mark} ${name.padEnd(22)} ${seconds.padStart(8)}  ${text}`);
    };
    try {
      line('✓', await outcome);
      this.#passed += 1;
    } catch (error) {
      if (error instanceof Skipped) {
        line('-', `skipped: ${error.message}`);
        this.#skipped += 1;
        return;
      }
      line('✗', error.message.split('\n')[0]);
      this.#failures.push({ name, error });
    }
  }

  /** Prints what is known of each failure, and the sum. Returns the exit status. */
  close() {
    for (const { name, error } of this.#failures) {
      console.log(`\n== ${name}\n${error.stack}`);
      for (const party of error.parties ?? []) console.log(tail(party));
    }
    const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : '';
    console.log(`\n${this.#passed} passed, ${this.#failures.length} failed${skipped}`);
    return this.#failures.length === 0 && this.#passed + this.#skipped > 0 ? 0 : 1;
  }
}

function tail(party) {
  const file = path.join(logs, `${party}.log`);
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const shown = lines.slice(-LINES_SHOWN).map((line) => `    ${line}`);
    return [`-- the end of ${path.relative(root, file)} (${lines.length} lines)`, ...shown].join('\n');
  } catch {
    return `-- ${path.relative(root, file)} was never written`;
  }
}

/** Something that is done once, when all of several have got so far, or have said that they do not come any more. */
export class MeetingPoint {
  #count;
  #passed = new Set();
  #action;
  #open;

  constructor(count, action) {
    this.#count = count;
    this.#action = action;
    /** Of what is done. */
    this.done = new Promise((resolve) => (this.#open = resolve));
  }

  /** One of them has got so far, or does not come any more. Saying so twice is saying so once. */
  pass(who) {
    if (this.#passed.has(who)) return;
    this.#passed.add(who);
    if (this.#passed.size === this.#count) this.#open(this.#action());
  }
}
