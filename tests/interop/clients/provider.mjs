// What both TypeScript SDKs ask of an application: where things are kept, and how a browser is opened. The SDKs do
// discovery, registration, PKCE, the exchange and the refresh.

import { randomUUID } from 'node:crypto';

import { openBrowser } from './callback.mjs';

/** An `OAuthClientProvider` that keeps everything in memory. */
export class Provider {
  #callback;
  #state = randomUUID();
  #kept = {};

  /** `document` is the URL of a metadata document, for a client that has one. */
  constructor(name, callback, document) {
    this.#callback = callback;
    this.redirectUrl = callback.url;
    this.clientMetadataUrl = document;
    this.clientMetadata = { client_name: name, redirect_uris: [callback.url] };
  }

  state() {
    return this.#state;
  }

  clientInformation() {
    return this.#kept.client;
  }

  saveClientInformation(client) {
    this.#kept.client = client;
  }

  tokens() {
    return this.#kept.tokens;
  }

  saveTokens(tokens) {
    this.#kept.tokens = tokens;
  }

  codeVerifier() {
    return this.#kept.verifier;
  }

  saveCodeVerifier(verifier) {
    this.#kept.verifier = verifier;
  }

  invalidateCredentials(scope) {
    console.error(`told to forget: ${scope}`);
    if (scope === 'all') this.#kept = {};
    else delete this.#kept[scope];
  }

  redirectToAuthorization(url) {
    openBrowser(url);
  }

  /** The code that the browser brought back, to this very state. */
  async code() {
    const parameters = await this.#callback.parameters;
    if (parameters.get('state') !== this.#state) throw new Error('the state is not ours');
    const code = parameters.get('code');
    if (!code) throw new Error(`no code but ${parameters}`);
    return code;
  }
}
