export const appKey = 'app1';

// Tokens that nothing else can contain.
export const alice = { accid: 'alice', token: 'im-token-of-alice', userUuid: 'kit-alice', userToken: 'kit-token-of-alice' };
export const bob = { accid: 'bob', token: 'im-token-of-bob', userUuid: 'kit-bob', userToken: 'kit-token-of-bob' };

/** In the form of the sandbox's accounts file. */
export const accounts = {
  appKey,
  im: [alice, bob].map(({ accid, token }) => ({ accid, token })),
  kit: [alice, bob].map(({ accid, userUuid, userToken }) => ({ accid, userUuid, userToken })),
};
