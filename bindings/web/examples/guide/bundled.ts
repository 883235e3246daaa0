// The steps of the Web guide with nim-web-sdk-ng, for a bundler.
import { load, ImreuseError, type Kit, type Status } from 'imreuse';
import wasm from 'imreuse/imreuse.wasm'; // where the bundler puts the file
import NIMSDK from 'nim-web-sdk-ng/dist/v2/NIM_BROWSER_SDK';
import { appKey, account, token, userUuid, userToken, kitURL, sdk } from './settings.mjs';

const imreuse = await load({ wasm: new URL(wasm, import.meta.url) });
const NIM = imreuse.reuseIM(NIMSDK); // step 1: before IM is initialised
const nim = NIM.getInstance({ appkey: appKey, apiVersion: 'v2' }, sdk);
const kit: Kit = await imreuse.initialize({ appKey, im: nim, kitURL, mode: 'reuse_im' }); // step 2
kit.addEventListener('change', ({ detail }) => show(detail));
try {
  await nim.V2NIMLoginService.login(account, token); // at any time before step 3
  await kit.loginByToken(userUuid, userToken); // step 3
} catch (error) {
  if (!(error instanceof ImreuseError)) throw error;
  document.title = `${error.code}: ${error.remedy}`;
}

function show({ state, reused }: Status) {
  document.title = `${state}, reused: ${reused}`;
}
