// Real clients before real servers that know nothing of authorization, with Vestibule in between, all of it started by
// one command: calls, progress that is told while it goes on, a stream that is silent for longer than any deadline and
// still delivers, the end of a session, and what the servers behind learn of who calls.

import { CLIENTS } from '../clients/index.mjs';
import { assert, assertEqual, blame, MeetingPoint } from '../harness/checks.mjs';
import { Conversation } from '../harness/conversation.mjs';
import { ALICE } from '../harness/homelab.mjs';
import { Person } from '../harness/person.mjs';
import { assertEnds, assertOpensStream, assertProgressInTime, assertStreamOutlives } from '../harness/streams.mjs';
import { Vestibule } from '../harness/vestibule.mjs';
import { OpenServer } from '../servers/index.mjs';

const PREFIX = 'guard-';

/** Name to whether the client ends its sessions by DELETE; `mcp-remote` forgets them. */
const ENDS = { 'typescript-v1': true, 'typescript-v2': true, fastmcp: true, 'mcp-remote': false };

export const names = Object.keys(ENDS).map((name) => PREFIX + name);

export async function start(chosen, browser) {
  const house = await House.start(browser);
  const connected = new MeetingPoint(chosen.length, () => {});
  const checks = chosen.map((name) => [name, check(house, name, connected)]);
  return { checks, calm: connected.done, stop: () => house.stop() };
}

/** Two servers, one guard, one person. */
class House {
  static async start(browser) {
    const house = new House();
    house.everything = await OpenServer.everything('guard/everything');
    house.notes = await OpenServer.notes('guard/notes');
    const guards = ['everything', 'notes'].flatMap((name) => ['--guard', `${name}=${house[name].url}`]);
    house.vestibule = await Vestibule.start('guard/vestibule', guards);
    house.person = await Person.at(browser, 'guard', { issuer: house.vestibule.issuer, ...ALICE });
    await house.person.setUp(house.vestibule.setupLink);
    await house.person.openDoor();
    return house;
  }

  /** The bare URL of a guarded server, as `serve` prints it. */
  url(name) {
    const url = this.vestibule.guarded.find((url) => url.endsWith(`/${name}`));
    assert(url, `serve does not tell of ${name}: ${this.vestibule.guarded}`);
    return url;
  }

  get parties() {
    return ['guard/vestibule', this.everything.name, this.notes.name];
  }

  async stop() {
    await this.person.leave();
    await this.vestibule.stop();
    await this.everything.stop();
    await this.notes.stop();
  }
}

async function check(house, name, connected) {
  const kind = name.slice(PREFIX.length);
  const open = (server) => {
    const caller = `${name}-${server}`;
    return new Conversation(`guard/${caller}`, caller, [...CLIENTS[kind], house.url(server)], house.person);
  };
  const [everything, notes] = [open('everything'), open('notes')];
  try {
    assertEqual(await notes.say('hello'), 'you said: hello', 'the answer of the notes');
    await assertTold(house, notes, `${name}-notes`);
    await assertProgressPasses(notes, name);
    assertEqual(await everything.say({ tool: 'echo', arguments: { message: 'hello' } }), 'Echo: hello', 'the answer');
    const [{ clientId }] = house.person.visitsOf(`${name}-everything`);
    const stream = await assertOpensStream(house.everything, clientId);
    connected.pass(name);
    const [silence] = await Promise.all([
      assertStreamOutlives(house.everything, everything, stream),
      assertProgressInTime(everything),
    ]);
    const end = await assertEnds(house.everything, everything, stream, ENDS[kind]);
    assertNoTokenBehind(house);
    return `calls and progress pass, a stream delivers after ${silence} s of silence, ${end}`;
  } catch (error) {
    throw blame(error, [everything.log, notes.log, ...house.parties]);
  } finally {
    connected.pass(name);
    await everything.stop();
    await notes.stop();
  }
}

/** The server behind learns who calls, by name and by client, and nothing that it could use. */
async function assertTold(house, notes, caller) {
  const headers = JSON.parse(await notes.say({ tool: 'headers', arguments: {} }));
  const told = (name) => headers.filter(([other]) => other === name).map(([, value]) => value);
  const [{ clientId }] = house.person.visitsOf(caller);
  assertEqual(told('x-vestibule-user'), [ALICE.name], 'the user that the notes are told of');
  assertEqual(told('x-vestibule-client'), [clientId], 'the client that the notes are told of');
  assertEqual(told('authorization'), [], 'the token that the notes are told of');
  assertEqual(told('x-forwarded-host'), [new URL(house.url('notes')).host], 'the host that the notes are told of');
}

/** Progress passes while the tool still runs: it does not end before somebody has read of it. */
async function assertProgressPasses(notes, word) {
  const asked = notes.say({ tool: 'wait_until_seen', arguments: { word } });
  await notes.told('progress of the notes', ({ progress }) => progress === 1);
  // Whichever is done first.
  const answers = await Promise.all([asked, notes.say({ tool: 'say_seen', arguments: { word } })]);
  assert(answers.includes(`${word} was seen`), `the notes answered ${answers}`);
}

/** What the servers behind were asked, by anybody: nothing of ours but who it is. */
function assertNoTokenBehind(house) {
  const requests = [house.everything, house.notes].flatMap(({ witness }) => witness.requests);
  assert(requests.length > 10, `the witnesses saw ${requests.length} requests`);
  for (const seen of requests) {
    assertEqual(seen.values('authorization'), [], `the token of a ${seen.method}`);
    assertEqual(seen.values('x-vestibule-user'), [ALICE.name], `whom a ${seen.method} is for`);
    assertEqual(seen.values('cookie'), [], `the cookies of a ${seen.method}`);
  }
}
