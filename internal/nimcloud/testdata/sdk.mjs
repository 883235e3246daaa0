// Drives the vendor's SDK for TestSDK. Reads calls from stdin and writes events
// and results to stdout, one JSON value per line. The SDK's own output goes to
// stderr.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { SDK, LBS, LINK, APPKEY } = process.env;
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
for (const name of ['log', 'info', 'warn', 'debug']) console[name] = console.error;

const { default: NIM } = await import(pathToFileURL(`${SDK}/node_modules/nim-web-sdk-ng/dist/nodejs/nim.js`));

const instances = new Map();

function instance(name) {
  if (!instances.has(name)) {
    const nim = new NIM(
      { appkey: APPKEY, apiVersion: 'v2', debugLevel: 'off', isAbtestEnable: false },
      {
        V2NIMLoginServiceConfig: { lbsUrls: [LBS], linkUrl: LINK, linkSSL: false },
        reporterConfig: { enableCompass: false, isDataReportEnable: false },
        abtestConfig: { isAbtestEnable: false },
      },
    );
    const service = nim.V2NIMLoginService;
    service.on('onLoginStatus', (status) => say({ name, event: 'login', number: status }));
    service.on('onLoginFailed', (e) => say({ name, event: 'failed', number: e.code }));
    service.on('onKickedOffline', (d) => say({ name, event: 'kicked', number: d.reason, text: d.reasonDesc }));
    service.on('onLoginClientChanged', (change, clients) =>
      say({ name, event: 'clients', number: change, text: clients.map((c) => c.type).join() }));
    service.on('onDataSync', (type, state) => say({ name, event: 'sync', number: state }));
    instances.set(name, service);
  }
  return instances.get(name);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, call, args } = JSON.parse(line);
  const service = instance(name);
  if (call === 'kickOffline') args.push(service.getLoginClients()[0]);
  const { tokens } = args[2] ?? {};
  if (tokens) {
    args[2].tokenProvider = () => {
      say({ name, event: 'asked' });
      return tokens.length > 1 ? tokens.shift() : tokens[0];
    };
  }
  service[call](...args).then(
    () => say({ name, event: 'done', text: call }),
    (e) => say({ name, event: 'rejected', text: call, number: e.code }),
  );
}
process.exit(0);
