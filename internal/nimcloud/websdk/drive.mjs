// Calls the SDKs for the Go tests, in Node and in a page alike. Each event is told
// to say as { name, event, number, text }.
import { v1, v2 } from './options.mjs';

/** Logs in with the 9.x SDK, which connects as soon as there is an instance. */
export function loginV1({ SDK }, cloud, say, name, account, token, extra) {
  const tell = (event) => (number, text) => say({ name, event, number, text });
  return SDK.NIM.getInstance({
    ...v1(cloud),
    appKey: cloud.appKey,
    account,
    token,
    debug: false,
    ...extra,
    onconnect: () => tell('connect')(),
    onwillreconnect: () => tell('willreconnect')(),
    ondisconnect: (e) => (typeof e.code === 'number' ? tell('disconnect')(e.code) : tell('disconnect')(0, [e.code, e.reason, e.custom].filter(Boolean).join(' '))),
    onloginportschange: (ports) => tell('ports')(0, ports.map((p) => `${p.type} ${p.online}`).join()),
    onsyncdone: () => tell('sync')(),
    onerror: (e) => tell('error')(0, String(e?.code)),
  });
}

/** Logs in with the V2 API of the 10.x SDK. */
export function loginV2({ NIM: { default: NIM } }, cloud, say, name, account, token, extra) {
  const nim = new NIM(
    { appkey: cloud.appKey, apiVersion: 'v2', debugLevel: 'off', isAbtestEnable: false, ...extra },
    v2(cloud),
  );
  const service = nim.V2NIMLoginService;
  service.on('onLoginStatus', (number) => say({ name, event: 'login', number }));
  service.on('onKickedOffline', ({ reason, reasonDesc }) => say({ name, event: 'kicked', number: reason, text: reasonDesc }));
  service.on('onLoginClientChanged', (number, clients) => say({ name, event: 'clients', number, text: clients.map((c) => c.type).join() }));
  service.on('onDataSync', (type, number) => say({ name, event: 'sync', number }));
  service.login(account, token, { retryCount: 0 }).then(
    () => say({ name, event: 'done', text: 'login' }),
    (e) => say({ name, event: 'rejected', text: 'login', number: e.code }),
  );
}
