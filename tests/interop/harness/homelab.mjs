// What most checks begin with: Vestibule, one MCP server known to it, and its first admin at a browser.

import { McpServer, SCOPES } from './mcp_server.mjs';
import { Person } from './person.mjs';
import { Vestibule } from './vestibule.mjs';

/** The person of every homelab. */
export const ALICE = { name: 'alice', password: 'a vestibule is a small hall' };

/** A homelab of its own. */
export class Homelab {
  /** Starts everything. `name` is the directory of its logs and pictures; `settings` are flags of `vestibule serve`. */
  static async start(name, browser, settings) {
    const homelab = await Homelab.startUninhabited(name, settings);
    homelab.person = await Person.at(browser, name, { issuer: homelab.vestibule.issuer, ...ALICE });
    await homelab.person.setUp(homelab.vestibule.setupLink);
    await homelab.person.openDoor();
    return homelab;
  }

  /** The same without a person, for machines. */
  static async startUninhabited(name, settings) {
    const homelab = new Homelab();
    homelab.name = name;
    homelab.vestibule = await Vestibule.start(`${name}/vestibule`, settings);
    homelab.mcp = await McpServer.start(`${name}/mcp-server`, homelab.vestibule.issuer);
    await homelab.addResource(homelab.mcp.url);
    return homelab;
  }

  /** Tells Vestibule of a resource whose access tokens live as short as it allows. */
  async addResource(url) {
    const terms = ['--name', 'Echo', '--scopes', SCOPES.join(' '), '--token-lifetime', '1m'];
    await this.vestibule.command('resource', 'add', url, ...terms);
  }

  /** Pulls Vestibule's plug, and starts it again. */
  async crash() {
    await this.vestibule.crashAndReturn();
    this.mcp.forgetKeys();
  }

  /** Whose logs to look at when something has failed. */
  get parties() {
    return [`${this.name}/vestibule`, `${this.name}/mcp-server`];
  }

  async stop() {
    await this.person?.leave();
    await this.mcp.stop();
    await this.vestibule.stop();
  }
}
