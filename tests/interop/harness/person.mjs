// A person at a real browser, and the door at which clients ring to have a page opened.

import { createServer } from 'node:http';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { output } from './places.mjs';

const EXECUTABLE = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** For one page or one click, on a slow machine. */
const PATIENCE = 20_000;
/** More pages than any sign-in has; more means that it goes in circles. */
const MOST_PAGES = 6;

/**
 * Starts the browser, with a profile of its own. `hosts` is the address at which every `*.test` host answers; every
 * `*.home.example` is this machine.
 */
export function startBrowser({ hosts } = {}) {
  const resolve = hosts ? [`--host-resolver-rules=MAP *.test ${hosts},MAP *.home.example 127.0.0.1`] : [];
  return chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS, ...resolve], timeout: 60_000 });
}

/** A browser tab as the suite watches it: what the browser complains about, and pictures of what it shows. */
export class Tab {
  #shots = 0;
  #directory;
  #issuer;
  #leaves;

  /** What the browser found wrong with Vestibule's pages in this tab: policy violations, script errors, lost resources. */
  complaints = [];

  /** The address of an app's own scheme that the browser was sent to and gave to the system; it stays where it was. */
  appLink;

  /** Opens a tab. Its pictures go to `output/DIRECTORY/`. */
  static async open(context, directory, issuer) {
    const tab = new Tab();
    tab.#issuer = issuer;
    tab.#directory = path.join(output, directory);
    mkdirSync(tab.#directory, { recursive: true });
    tab.page = await context.newPage();
    tab.page.setDefaultTimeout(PATIENCE);
    await tab.#watch(context);
    return tab;
  }

  async #watch(context) {
    const { page } = this;
    const complain = (complaint) => {
      // What other sites do wrong is theirs.
      if (page.url().startsWith(this.#issuer)) this.complaints.push(complaint);
    };
    this.#leaves = new Promise((resolve) => {
      page.on('request', (request) => {
        if (!request.isNavigationRequest() || /^(https?|data|about):/.test(request.url())) return;
        this.appLink = request.url();
        resolve();
      });
    });
    page.on('pageerror', (error) => complain(`script: ${error.message}`));
    page.on('console', (message) => {
      // A page that tells of a problem has the status of one.
      const isStatus = message.text().startsWith('Failed to load resource: the server responded with a status of');
      if (message.type() === 'error' && !isStatus) complain(`console: ${message.text()}`);
    });
    const inspector = await context.newCDPSession(page);
    await inspector.send('Audits.enable');
    inspector.on('Audits.issueAdded', ({ issue }) => {
      // To lead from site to site in passing is what an authorization server is for.
      if (issue.code !== 'BounceTrackingIssue') complain(`issue: ${issue.code} ${JSON.stringify(issue.details)}`);
    });
  }

  /** Waits until what was done has led to another page, though perhaps of the same address. */
  async leaves(done) {
    const loaded = this.page.waitForEvent('load');
    try {
      await Promise.race([Promise.all([done, loaded]), this.#leaves]);
    } catch (error) {
      throw new Error(`the browser stays at ${this.page.url()}: ${this.complaints.join('; ')}`, { cause: error });
    }
  }

  /** Clicks a button, and waits for the page that comes. */
  press(button) {
    return this.leaves(this.page.getByRole('button', { name: button, exact: true }).click({ noWaitAfter: true }));
  }

  /** Takes a picture of the whole page. */
  async picture(name) {
    const number = String(++this.#shots).padStart(2, '0');
    await this.page.screenshot({ path: path.join(this.#directory, `${number}-${name}.png`), fullPage: true });
  }

  /** The page's heading. */
  heading() {
    return this.page.locator('h1').innerText();
  }
}

/** Somebody with an account, who allows what clients ask for, one after the other. */
export class Person {
  #context;
  #directory;
  #issuer;
  #queue = Promise.resolve();
  #door;

  /**
   * What they did: for which client (`caller`, `clientId`), the pages that they `answered`, the words of the one that
   * asked for consent, and how it ended.
   */
  visits = [];

  /** `directory` is for the pictures. JavaScript is off: no page of Vestibule's needs any. */
  static async at(browser, directory, { issuer, name, password }) {
    const person = new Person();
    Object.assign(person, { name, password });
    person.#issuer = issuer;
    person.#directory = directory;
    person.#context = await browser.newContext({ javaScriptEnabled: false, ignoreHTTPSErrors: true });
    return person;
  }

  /** A tab of their browser; `name` is the directory of its pictures. */
  openTab(name) {
    return Tab.open(this.#context, `${this.#directory}/${name}`, this.#issuer);
  }

  /** Makes them the first admin, through the server's set-up link. */
  async setUp(link) {
    const tab = await this.openTab('set-up');
    await tab.page.goto(link);
    await tab.picture('set-up');
    await tab.page.getByLabel('User name').fill(this.name);
    await tab.page.getByLabel('Password').fill(this.password);
    await tab.page.getByRole('button', { name: 'Create the admin' }).click();
    await tab.page.waitForURL(`${this.#issuer}/account`);
    await tab.picture('account');
    await this.#leave(tab);
  }

  /** Opens the door: clients that are told of it (`doorbell`) have their pages opened in this person's browser. */
  async openDoor() {
    this.#door = createServer(async (request, response) => {
      let url = '';
      for await (const chunk of request.setEncoding('utf8')) url += chunk;
      const caller = new URL(request.url, 'http://door').searchParams.get('caller');
      response.writeHead(202).end();
      // How it ends is written down in `visits`; the client hears of it at its callback, or never.
      this.visit(url, caller).catch(() => {});
    });
    await new Promise((resolve) => this.#door.listen(0, '127.0.0.1', resolve));
  }

  /** Where `caller` rings. */
  doorbell(caller) {
    return `http://127.0.0.1:${this.#door.address().port}/?caller=${encodeURIComponent(caller)}`;
  }

  /** The visits of one client, also those that are not `over` yet. */
  visitsOf(caller) {
    return this.visits.filter((visit) => visit.caller === caller);
  }

  /**
   * Follows an authorization URL until the client's own page has answered. One visit after the other, as a person
   * does. Returns what happened; throws if the browser does not arrive.
   */
  visit(url, caller) {
    const clientId = new URL(url).searchParams.get('client_id');
    const visit = { caller, clientId, url, answered: [], consent: undefined, arrived: undefined, problem: undefined };
    this.visits.push(visit);
    const done = this.#queue.then(() => this.#follow(visit));
    visit.over = done.then(() => {}, (error) => (visit.problem = error.message));
    this.#queue = visit.over;
    return done;
  }

  async #follow(visit) {
    const number = this.visitsOf(visit.caller).length;
    const tab = await this.openTab(`${visit.caller}-${number}`);
    const { page } = tab;
    await page.goto(visit.url);
    for (let pages = 0; page.url().startsWith(this.#issuer) && !tab.appLink; pages++) {
      const { pathname } = new URL(page.url());
      await tab.picture(pathname.replaceAll('/', '') || 'page');
      if (pages === MOST_PAGES) throw new Error(`${visit.caller}: the pages go in circles at ${page.url()}`);
      if (pathname === '/consent') visit.consent = await page.locator('main').innerText();
      if (!(await this.#answer(tab, pathname))) {
        throw new Error(`${visit.caller}: stuck at ${page.url()}: ${await page.locator('main').innerText()}`);
      }
      visit.answered.push(pathname);
      if (tab.complaints.length > 0) throw new Error(`${visit.caller}: ${tab.complaints.join('; ')}`);
    }
    if (!tab.appLink) await page.waitForLoadState();
    visit.arrived = tab.appLink ?? page.url();
    await tab.picture('client');
    await page.close();
    return visit;
  }

  /** Signs in where a tab was sent to for that, and waits for what comes. */
  async signIn(tab) {
    const { origin, pathname } = new URL(tab.page.url());
    if (`${origin}${pathname}` !== `${this.#issuer}/login`) throw new Error(`no sign-in but ${tab.page.url()}`);
    await this.#answer(tab, pathname);
  }

  /** Does what a page asks for. Returns whether it is a page that asks. */
  async #answer(tab, pathname) {
    const { page } = tab;
    if (pathname === '/login') {
      await page.getByLabel('User name').fill(this.name);
      await page.getByLabel('Password').fill(this.password);
      await tab.press('Sign in');
    } else if (pathname === '/consent') {
      await tab.press('Allow');
    } else {
      return false;
    }
    return true;
  }

  async #leave(tab) {
    await tab.page.close();
    if (tab.complaints.length > 0) throw new Error(tab.complaints.join('; '));
  }

  /** Goes home. */
  async leave() {
    await this.#queue;
    await this.#context.close();
    this.#door?.close();
  }
}
