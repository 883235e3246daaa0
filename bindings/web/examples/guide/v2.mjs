// The steps of the Web guide with nim-web-sdk-ng, which is window.NIM.default.
import { ImreuseError, load } from 'imreuse';
import { appKey, account, token, userUuid, userToken, kitURL, sdk } from './settings.mjs';

const imreuse = await load();
const NIM = imreuse.reuseIM(window.NIM.default); // step 1: before IM is initialised
const nim = NIM.getInstance({ appkey: appKey, apiVersion: 'v2' }, sdk);
const kit = await imreuse.initialize({ appKey, im: nim, kitURL, mode: 'reuse_im' }); // step 2
try {
  await nim.V2NIMLoginService.login(account, token); // at any time before step 3
  const status = await kit.loginByToken(userUuid, userToken); // step 3
  document.title = `${status.state}, reused: ${status.reused}`;
} catch (error) {
  if (!(error instanceof ImreuseError)) throw error;
  document.title = `${error.code}: ${error.remedy}`;
}
