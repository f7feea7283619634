// An authorization request as any client makes it, for checks in which the client is not the point.

import { createHash } from 'node:crypto';

const VERIFIER = 'a-code-verifier-has-at-least-43-characters-so-here-they-are';

/** Its URL. `more` are parameters besides, or instead; one that is `undefined` is left out. */
export function authorizeUrl(issuer, { clientId, redirectUri, ...more }) {
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state: 'a state of the client',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return `${issuer}/oauth/authorize?${new URLSearchParams(given)}`;
}

/** The form that turns the code of such a request into tokens. */
export function tokenRequest({ clientId, redirectUri, code }) {
  return new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code,
    code_verifier: VERIFIER,
  });
}
