// MCP servers that know nothing of authorization, each with a witness right before it.

import { pass, passPlainly } from '../harness/pass.mjs';
import { npm, python, suite } from '../harness/places.mjs';
import { freePort, isListening } from '../harness/ports.mjs';
import { Program } from '../harness/program.mjs';
import { Witness } from '../harness/witness.mjs';

const EVERYTHING = npm('@modelcontextprotocol', 'server-everything', 'dist', 'index.js');

/** A running server. */
export class OpenServer {
  #program;

  /** `@modelcontextprotocol/server-everything`, the one that shows all that a server may do. Its answers pass plainly. */
  static async everything(name) {
    const port = await freePort();
    const env = { PATH: process.env.PATH, PORT: String(port) };
    const program = new Program(name, process.execPath, [EVERYTHING, 'streamableHttp'], { env });
    await isListening(port, program);
    return OpenServer.#of(name, program, port, passPlainly);
  }

  /** One of FastMCP's, with a few tools of ours. */
  static async notes(name) {
    return OpenServer.#python(name, 'notes.py');
  }

  /** One of FastMCP's, with all that the conformance suite of MCP asks for. */
  static async conformance(name) {
    return OpenServer.#python(name, 'conformance.py');
  }

  static async #python(name, file) {
    const program = new Program(name, python, [`${suite}/servers/${file}`], { env: { PATH: process.env.PATH } });
    return OpenServer.#of(name, program, Number(await program.line()), pass);
  }

  static async #of(name, program, port, way) {
    const server = new OpenServer();
    server.name = name;
    server.#program = program;
    /** Past the witness: what the server itself says. */
    server.bareUrl = `http://127.0.0.1:${port}/mcp`;
    server.witness = await Witness.before(`http://127.0.0.1:${port}`, `${name}-witness`, way);
    server.url = `${server.witness.origin}/mcp`;
    return server;
  }

  /** What the server itself answers about a session: the status of a ping. */
  async ping(session) {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-06-18',
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 'ping', method: 'ping' });
    const response = await fetch(this.bareUrl, { method: 'POST', headers, body });
    await response.text();
    return response.status;
  }

  async stop() {
    await this.witness.stop();
    await this.#program.stop();
  }
}
