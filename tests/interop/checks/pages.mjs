// Every page, as a person meets it: from the set-up link to the sign-out, on a phone and on a desktop, light and dark,
// with JavaScript and without, with a pointer and with the keyboard alone. A picture of each is kept.

import { Callback } from '../clients/callback.mjs';
import { assert, assertEqual, blame } from '../harness/checks.mjs';
import { authorizeUrl, tokenRequest } from '../harness/authorize.mjs';
import { DocumentHost } from '../harness/document_host.mjs';
import { Keyboard, Pointer } from '../harness/hands.mjs';
import { ALICE } from '../harness/homelab.mjs';
import { Tab } from '../harness/person.mjs';
import { Vestibule } from '../harness/vestibule.mjs';

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

/** Name to how the pages are looked at and used. */
const LOOKS = {
  'pages-phone-light': { viewport: PHONE, colorScheme: 'light', javaScriptEnabled: false, hand: Pointer },
  'pages-phone-dark': { viewport: PHONE, colorScheme: 'dark', javaScriptEnabled: false, hand: Pointer },
  'pages-desktop-light': { viewport: DESKTOP, colorScheme: 'light', javaScriptEnabled: true, hand: Pointer },
  'pages-desktop-dark': { viewport: DESKTOP, colorScheme: 'dark', javaScriptEnabled: true, hand: Pointer },
  'pages-keyboard': { viewport: DESKTOP, colorScheme: 'light', javaScriptEnabled: false, hand: Keyboard },
  'pages-phone-keyboard': { viewport: PHONE, colorScheme: 'light', javaScriptEnabled: false, hand: Keyboard },
};

const NOTES = 'https://notes.home.test/mcp';
const FILES = 'https://files.home.test/a/long/road/to/where/the/server/is/mounted/behind/the/proxy/mcp';
const CALLBACK = 'https://app.test/callback';
const APP_LINK = 'editor://editor.example/oauth/callback';
/** What a stranger may call itself. */
const LONG_NAME = 'AnAppWhoseMakersCouldNotAgreeOnAShorterNameAndDidNotLikeSpaces';

export const names = Object.keys(LOOKS);

export async function start(chosen, browser) {
  const host = await DocumentHost.start();
  const checks = chosen.map((name) => [name, walk(name, browser, host)]);
  return { checks, stop: () => host.stop() };
}

async function walk(name, browser, host) {
  const { hand, ...look } = LOOKS[name];
  const vestibule = await Vestibule.start(`${name}/vestibule`, host.settings);
  const context = await browser.newContext({ ...look, ignoreHTTPSErrors: true });
  try {
    const tab = await Tab.open(context, name, vestibule.issuer);
    const visitor = new Visitor(vestibule, tab, new hand(tab), look.viewport);
    await visitor.setsUp();
    await visitor.signsOut();
    await visitor.allowsWhatIsNamed();
    await visitor.choosesAmongTwo();
    await visitor.denies();
    await visitor.looksAtStrangers(host);
    await visitor.looksAtProblems();
    await visitor.takesBack();
    return `${visitor.pages} pages`;
  } catch (error) {
    throw blame(error, [`${name}/vestibule`]);
  } finally {
    await context.close();
    await vestibule.stop();
  }
}

/** Somebody new in the house, who looks at every page before using it. */
class Visitor {
  pages = 0;

  constructor(vestibule, tab, hand, viewport) {
    Object.assign(this, { vestibule, tab, hand, viewport });
  }

  /** The page is the expected one, fits, and is nothing that the browser complains about. */
  async #sees(heading, picture) {
    const { page, complaints } = this.tab;
    await this.tab.picture(picture);
    const found = await this.tab.heading();
    assert(found.includes(heading), `${picture}: the heading is "${found}", not "${heading}"`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(width <= this.viewport.width, `${picture}: ${width} px wide in a window of ${this.viewport.width} px`);
    assertEqual(complaints, [], `${picture}: the browser's complaints`);
    this.pages += 1;
  }

  async #opens(path) {
    await this.tab.page.goto(this.vestibule.issuer + path);
  }

  async setsUp() {
    await this.tab.page.goto(this.vestibule.setupLink);
    await this.#sees('Welcome', 'set-up');
    await this.hand.fill('User name', ALICE.name);
    await this.hand.fill('E-mail', 'alice@home');
    await this.hand.fill('Password', ALICE.password);
    await this.hand.press('Create the admin');
    await this.#sees('Your account', 'account-first-steps');
  }

  async signsOut() {
    await this.#opens('/logout');
    await this.#sees('Sign out?', 'sign-out');
    await this.hand.press('Sign out');
    await this.#sees('Signed out', 'signed-out');
  }

  /** A program on this computer asks for a server by name; nobody is signed in. */
  async allowsWhatIsNamed() {
    await this.#addResource(NOTES, 'Notes', 'read write');
    const callback = await Callback.listen();
    const redirectUri = callback.url;
    const clientId = await this.#register('Editor', redirectUri);
    await this.#asks({ clientId, redirectUri, resource: NOTES, scope: 'read write offline_access' });
    await this.#sees('Sign in', 'sign-in');
    await this.hand.fill('User name', ALICE.name);
    await this.hand.fill('Password', 'not my password');
    await this.hand.press('Sign in');
    await this.#sees('Sign in', 'sign-in-wrong');
    // The name is still there, and the cursor in the empty field.
    await this.hand.fill('Password', ALICE.password);
    await this.hand.press('Sign in');
    await this.#sees('Allow “Editor” access?', 'consent');
    await this.hand.press('Allow');
    assert((await callback.parameters).get('code'), 'the client gets no code');
  }

  /** A web site with a long name asks for nothing in particular, and there are two servers. */
  async choosesAmongTwo() {
    await this.#addResource(FILES, 'Files of the whole family', 'files:read files:write');
    const clientId = await this.#register(LONG_NAME, CALLBACK);
    await this.#asks({ clientId, redirectUri: CALLBACK });
    await this.#sees('Allow “AnApp', 'consent-choose');
    await this.hand.choose('Files of the whole family');
    await this.tab.picture('consent-chosen');
    await this.hand.press('Allow');
    await this.#arrived('code');
    await this.#redeem(clientId);
  }

  /** The owner's own client is refused by the person. */
  async denies() {
    const kind = ['--public', '--name', 'Dashboard', '--redirect-uri', CALLBACK];
    const { client_id: clientId } = await this.vestibule.command('client', 'add', ...kind);
    await this.#asks({ clientId, redirectUri: CALLBACK, resource: FILES });
    await this.#sees('Allow “Dashboard” access?', 'consent-of-a-known-client');
    await this.hand.press('Deny');
    assertEqual(await this.#arrived('error'), 'access_denied', 'what the client hears');
  }

  /** An app that is answered by a link of its own scheme, and a program that a web site vouches for. */
  async looksAtStrangers(host) {
    const clientId = await this.#register('Editor', APP_LINK);
    await this.#asks({ clientId, redirectUri: APP_LINK, resource: FILES });
    await this.#sees('Allow “Editor” access?', 'consent-app-link');
    const redirectUri = 'http://127.0.0.1:49152/callback';
    const url = host.url('/oauth/clients/terminal/client-metadata.json');
    host.publish(new URL(url).pathname, { client_id: url, client_name: 'Terminal', redirect_uris: [redirectUri] });
    await this.#asks({ clientId: url, redirectUri, resource: FILES });
    await this.#sees('Allow “Terminal” access?', 'consent-vouched-for');
  }

  async looksAtProblems() {
    await this.#asks({ clientId: 'nobody', redirectUri: CALLBACK });
    await this.#sees('', 'problem-unknown-client');
    const clientId = await this.#register('Stranger', CALLBACK);
    await this.#asks({ clientId, redirectUri: `https://elsewhere.test/${'far-away/'.repeat(20)}` });
    await this.#sees('', 'problem-unknown-redirect-uri');
    await this.tab.page.goto(this.vestibule.setupLink);
    await this.#sees('', 'problem-spent-link');
    await this.hand.press('Sign in');
    await this.#sees('Your account', 'signed-in-already');
    await this.#opens('/login?authorization=AAAAAAAAAAAAAAAAAAAAAA');
    await this.#sees('', 'problem-unknown-request');
  }

  async takesBack() {
    await this.#opens('/account');
    await this.#sees('Your account', 'account');
    const cards = this.tab.page.getByRole('listitem').filter({ has: this.tab.page.getByRole('heading') });
    assertEqual(await cards.count(), 1, 'apps with access');
    await this.hand.press('Take back');
    await this.#sees('Your account', 'account-taken-back');
    assertEqual(await cards.count(), 0, 'apps with access after one was taken back');
    await this.hand.press('Sign out');
    await this.#sees('Signed out', 'signed-out-from-account');
    await this.hand.press('Sign in again');
    await this.#sees('Sign in', 'sign-in-again');
  }

  async #addResource(uri, name, scopes) {
    await this.vestibule.command('resource', 'add', uri, '--name', name, '--scopes', scopes);
  }

  /** A client that registers itself. */
  async #register(client_name, redirectUri) {
    const body = JSON.stringify({ client_name, redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.vestibule.issuer}/oauth/register`, { method: 'POST', headers, body });
    return (await answer.json()).client_id;
  }

  async #asks(request) {
    await this.tab.page.goto(authorizeUrl(this.vestibule.issuer, request));
  }

  /** A parameter with which the browser has come to the client. */
  async #arrived(parameter) {
    const url = new URL(this.tab.page.url());
    assertEqual(url.origin + url.pathname, CALLBACK, 'where the browser arrived');
    const value = url.searchParams.get(parameter);
    assert(value, `the client gets no ${parameter}: ${url.search}`);
    return value;
  }

  /** The client makes tokens of the code, so that there is a grant. */
  async #redeem(clientId) {
    const answer = await fetch(`${this.vestibule.issuer}/oauth/token`, {
      method: 'POST',
      body: tokenRequest({ clientId, redirectUri: CALLBACK, code: await this.#arrived('code') }),
    });
    assertEqual(answer.status, 200, 'the status of the token answer');
  }
}
