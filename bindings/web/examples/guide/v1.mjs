// The steps of the Web guide with @yxim/nim-web-sdk, which is window.NIM.
import { ImreuseError, load } from 'imreuse';
import { appKey, account, token, userUuid, userToken, kitURL, sdk } from './settings.mjs';

const imreuse = await load();
const NIM = imreuse.reuseIM(window.NIM); // step 1: before IM is initialised
const nim = NIM.getInstance({
  ...sdk,
  appKey,
  account,
  token,
  onconnect: () => console.log('IM is logged in'),
  ondisconnect: (error) => console.log('IM is logged out:', error.code),
});
const kit = await imreuse.initialize({ appKey, im: nim, kitURL, mode: 'reuse_im' }); // step 2
try {
  const status = await kit.loginByToken(userUuid, userToken); // step 3
  document.title = `${status.state}, reused: ${status.reused}`;
} catch (error) {
  if (!(error instanceof ImreuseError)) throw error;
  document.title = `${error.code}: ${error.remedy}`;
}
