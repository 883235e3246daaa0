// The app's own chat, as far as this page needs one: its IM login. It uses the
// SDK as if there were no kit.

/**
 * @typedef {{ accid: string, token: string }} Account
 * @typedef {(what: string, state?: 'logged in' | 'logged out' | 'connecting') => void} Say
 * @typedef {{ nim: object, login(account: Account): void, logout(): void }} Chat
 */

/**
 * A chat with version 9, which connects when getInstance is called.
 *
 * @param {Window['NIM']} NIM
 * @param {{ appKey: string, v1: object, alice: Account }} settings
 * @param {Say} say
 * @returns {Chat}
 */
export function chatV1(NIM, { appKey, v1, alice }, say) {
  const instance = (/** @type {Account} */ { accid, token }, more = {}) =>
    NIM.getInstance({
      ...v1,
      ...more,
      appKey,
      account: accid,
      token,
      onconnect: () => say('onconnect', 'logged in'),
      onwillreconnect: () => say('onwillreconnect', 'connecting'),
      ondisconnect: ({ code, reason }) => say(['ondisconnect', code, reason].filter(Boolean).join(' '), 'logged out'),
    });
  const nim = instance(alice, { skipConnectionOnInitialize: true });
  return {
    nim,
    login(account) {
      instance(account, { skipConnectionOnInitialize: false });
      say('getInstance', 'connecting');
    },
    logout: () => nim.disconnect(),
  };
}

/**
 * A chat with version 10.
 *
 * @param {Window['NIM']['default']} NIM
 * @param {{ appKey: string, v2: object }} settings
 * @param {Say} say
 * @returns {Chat}
 */
export function chatV2(NIM, { appKey, v2 }, say) {
  const nim = NIM.getInstance({ appkey: appKey, apiVersion: 'v2', debugLevel: 'off' }, v2);
  const service = nim.V2NIMLoginService;
  const states = /** @type {const} */ (['logged out', 'logged in', 'connecting', 'connecting']);
  const names = ['LOGOUT', 'LOGINED', 'LOGINING', 'UNLOGIN'];
  service.on('onLoginStatus', (status) => say(`onLoginStatus ${names[status]}`, states[status]));
  service.on('onKickedOffline', ({ reason }) => say(`onKickedOffline ${reason}`));
  const failed = (/** @type {{ code: number }} */ { code }) => say(`rejected with ${code}`);
  return {
    nim,
    login: ({ accid, token }) => void service.login(accid, token, { retryCount: 0 }).catch(failed),
    logout: () => void service.logout().catch(failed),
  };
}
