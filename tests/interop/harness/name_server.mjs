// A name server (RFC 1035) that says what it is told to, to whoever asks, about any name.

import { createSocket } from 'node:dgram';

const HEADER = 12;
const TYPE_A = 1;

/** A name server on port 53 of an address. */
export class NameServer {
  #socket;
  #answers = [];

  /** How often it was asked for an IPv4 address since it was told what to say. */
  questions = 0;

  static async start(address) {
    const server = new NameServer();
    server.#socket = createSocket('udp4', (query, { port, address: asker }) => {
      server.#socket.send(server.#answer(query), port, asker);
    });
    await new Promise((resolve) => server.#socket.bind(53, address, resolve));
    return server;
  }

  /** From now on: one answer, of IPv4 addresses, after the other, and the last one for good. */
  say(...answers) {
    this.#answers = answers;
    this.questions = 0;
  }

  #answer(query) {
    // A question is a name, which ends with an empty label, a type and a class.
    const end = query.indexOf(0, HEADER) + 5;
    const isForAddress = query.readUInt16BE(end - 4) === TYPE_A;
    if (isForAddress) this.questions += 1;
    const addresses = isForAddress ? (this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]) : [];
    const header = Buffer.alloc(HEADER);
    query.copy(header, 0, 0, 2);
    // An answer, recursion desired and available, no error; to one question.
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    return Buffer.concat([header, query.subarray(HEADER, end), ...addresses.map(record)]);
  }
}

/** The name of the question, type A, class IN, to be kept for no time, four bytes. */
function record(address) {
  return Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
}
