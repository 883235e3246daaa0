// Compiled by package.test.mjs, and never run: what the types allow and what
// they refuse.
import { ImreuseError, Kit, load, type Imreuse, type Status } from 'imreuse';

export async function uses(NIM: { getInstance(o: { account: string }): { disconnect(): void } }): Promise<Status> {
  const imreuse: Imreuse = await load({ wasm: new URL('https://example.com/imreuse.wasm'), signal: new AbortController().signal });
  const nim = imreuse.reuseIM(NIM).getInstance({ account: 'alice' });
  nim.disconnect();
  // @ts-expect-error the wrapped SDK has the types of the SDK
  imreuse.reuseIM(NIM).getInstance({ account: 5 });
  const im = imreuse.hostIM({ login: async ({ accid, token, signal }) => signal.aborted || accid + token, logout() {} });
  im.loggedIn({ accid: 'alice' });
  im.loggedOut({ reason: 2, text: 'bye' });
  // @ts-expect-error there is no fifth reason
  im.loggedOut({ reason: 5 });
  const mock = imreuse.mock({ appKey: 'app1', im: [{ accid: 'alice', token: 't' }], kit: [] });
  await mock.hostLogin('alice', 't');
  const kit = await imreuse.initialize({ appKey: 'app1', im, mode: 'reuse_im', kitToken: async (id, refused) => id + refused });
  // @ts-expect-error there is no such mode
  await imreuse.initialize({ appKey: 'app1', im, mode: 'reuse' });
  // @ts-expect-error a kit is made by initialize
  new Kit();
  for await (const { state, cause } of kit.watch()) if (state === 'kit_logged_in') return kit.logout({ signal: AbortSignal.timeout(5) });
  // @ts-expect-error there is no such state
  if (kit.status.state === 'logged_in') await kit.close();
  // @ts-expect-error a status does not change
  kit.status.online = true;
  kit.addEventListener('change', ({ detail }) => detail.cause?.kick?.reason);
  await kit.loginIM({ accid: 'alice' });
  return kit.loginByToken('kit-alice', 'token').catch((error: unknown) => {
    if (error instanceof ImreuseError && error.in('meeting') === 100004) return kit.close();
    throw error;
  });
}
