// An OpenID provider with pages of its own: npm's oidc-provider with its interactions for development.
//
//   node issuer.js REDIRECT-URI
//
// One JSON line goes out on stdout: {"port": n, "secret": "..."}; it ends when stdin does. Whoever types a login is that
// subject; any password will do.
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const SECRET = 'only for tests 0123456789';
const NAMES = { alice: 'Alice Example', hostile: '"><img src=x onerror=window.ran=1>' };

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  console.warn = console.info = () => {}; // it says that this is not how it is meant to be used in production
  const provider = new Provider(`http://op.localhost:${server.address().port}`, {
    clients: [{ client_id: 'coral', client_secret: SECRET, redirect_uris: [process.argv[2]] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['only for tests'] },
    features: { devInteractions: { enabled: true } },
    findAccount: async (_, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, email: `${sub}@people.example`, email_verified: true, name: NAMES[sub] ?? sub }),
    }),
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, Session: 3600 },
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ port: server.address().port, secret: SECRET }));
});
process.stdin.resume().on('end', () => process.exit(0));
