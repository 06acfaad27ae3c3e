// An OpenID provider that is not ours: npm's oidc-provider, in memory, on loopback.
//
//   node issuer.js
//
// One JSON line goes out on stdout: {"port": n, "secret": "..."}; it ends when stdin does. There is an issuer for each Host
// that it is asked under: `http://` and that Host. A name that begins with `sparse` keeps the claims about a person out of
// ID tokens, so that a client has to ask for them; others put them in. Whoever signs in is the account that the browser
// names in the field X-Account.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const REDIRECT = 'https://gate.example/sign-in/callback';
const SECRET = 'a secret: with colon, blank & plus+ 0123456789';

const KEYS = [
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
].map(({ privateKey }, number) => ({ ...privateKey.export({ format: 'jwk' }), kid: `own-${number}`, use: 'sig' }));

const client = (token_endpoint_auth_method, id_token_signed_response_alg) => ({
  client_id: `coral ${token_endpoint_auth_method}:${id_token_signed_response_alg}`,
  client_secret: token_endpoint_auth_method === 'none' ? undefined : SECRET,
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method,
  id_token_signed_response_alg,
});

const claims = (sub) => ({ sub, email: `${sub}@people.example`, email_verified: true, name: 'A. Person', hd: 'people.example' });

const providers = new Map();

function providerFor(host) {
  if (!providers.has(host)) {
    const provider = new Provider(`http://${host}`, {
      clients: [
        client('client_secret_basic', 'RS256'),
        client('client_secret_post', 'RS256'),
        client('none', 'RS256'),
        client('client_secret_basic', 'ES256'),
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified', 'hd'], profile: ['name'] },
      conformIdTokenClaims: host.startsWith('sparse'),
      cookies: { keys: ['only for tests'] },
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
      features: { devInteractions: { enabled: false } },
      findAccount: async (_, sub) => ({ accountId: sub, claims: async () => claims(sub) }),
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      jwks: { keys: KEYS },
      pkce: { required: () => true },
      ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 300, IdToken: 300, Interaction: 300, Session: 300 },
    });
    providers.set(host, provider);
  }
  return providers.get(host);
}

async function consent(provider, { params, session, prompt }) {
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
  return { consent: { grantId: await grant.save() } };
}

async function interact(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const login = { login: { accountId: request.headers['x-account'] ?? 'alice' } };
  const result = details.prompt.name === 'login' ? login : await consent(provider, details);
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const server = createServer((request, response) => {
  const provider = providerFor(request.headers.host);
  if (!request.url.startsWith('/interaction/')) return provider.callback()(request, response);
  return interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
});

console.warn = console.info = () => {}; // oidc-provider says that this is not how it is meant to be used in production
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: server.address().port, secret: SECRET }));
});
process.stdin.resume().on('end', () => process.exit(0));
