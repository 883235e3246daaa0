// The texts of the controls. The server has the texts of acts, stories and the
// vendor.
import { language } from '../words.mjs';

const en = {
  stories: 'Stories', stop: 'Stop',
  controls: 'By hand',
  mode: 'A new engine', renewal: 'the app hands out fresh tokens', reset: 'Reset everything',
  modes: { auto_detect: 'reuse the app’s login if there is one', reuse_im: 'always reuse the app’s login', auto_login: 'the engine logs IM in' },
  host: 'The app’s own IM client', hostHint: 'behind the engine’s back',
  im: 'IM, through the engine', imAccount: 'IM account',
  hostInit: 'Initialise', hostLogin: 'Log in', hostLogout: 'Log out',
  kit: 'The kit, through the engine', kitAccount: 'Kit account',
  bound: (kit, accid) => `${kit}, bound to ${accid}`, wrong: (id) => `${id}, wrong token`,
  accounts: { bound: 'the bound account', other: 'another account', wrong_token: 'a wrong token' },
  appServer: 'The app server', createFor: 'Kit account for', create: 'Create again', fetchTokens: 'Fetch new tokens',
  service: 'The service', reason: 'Reason', kick: 'Kick', linkDown: 'Link down', linkUp: 'Link up',
  expireKit: 'Expire the kit’s token', expireIM: 'Expire IM’s token',
  trouble: 'Trouble', call: 'Call', failure: 'Failure', fail: 'Fail the next one', hang: 'Hang',
  release: (call) => `Release ${call}`, hangs: (call) => `${call} hangs.`, willFail: (call, why) => `The next ${call} fails: ${why}.`,
  running: (names) => `Running: ${names} …`,
  device: (accid) => (accid ? `The IM client is logged in as ${accid}.` : 'Nobody is logged in to the IM client.'),
  lastAct: 'The last act', noAct: 'Run a story, or press a button. What came of it is shown here, with what the vendor’s kits would have given.',
  named: (act, details) => `${act}: ${details.join(', ')}`, earlier: 'Before that',
  outcomes: { done: 'done', failed: 'failed', lost: 'login lost', nothing: 'nothing to do' },
  reused: 'The kit reuses the app’s IM login.', remedy: 'Remedy',
  vendor: 'The vendor’s kits, for the same act', platform: 'Platform', gives: 'Gives',
  verdicts: { success: 'success', no_number: 'no number of its own', absent: 'not offered' },
  noPlatform: 'None of the kits has a number of its own for this.',
  guide: (id) => `The vendor’s guides, ${id}`, pages: { 'kits.md': 'What the kits do', 'im-sdk.md': 'What the IM SDK does' },
  differs: 'Where imreuse differs', webKit: 'The web kit', here: 'imreuse',
  unreachable: 'The server does not answer. Is it still running?',
  link: { true: 'up', false: 'down' }, token: { kit: 'the kit’s', im: 'IM’s' },
};

const zh = {
  stories: '情景演示', stop: '停止',
  controls: '手动操作',
  mode: '新建引擎', renewal: '应用可提供新的 token', reset: '全部重置',
  modes: { auto_detect: '应用已登录则复用', reuse_im: '始终复用应用的登录', auto_login: '由引擎登录 IM' },
  host: '应用自己的 IM 客户端', hostHint: '绕过引擎',
  im: 'IM（通过引擎）', imAccount: 'IM 账号',
  hostInit: '初始化', hostLogin: '登录', hostLogout: '登出',
  kit: '组件（通过引擎）', kitAccount: '组件账号',
  bound: (kit, accid) => `${kit}，绑定 ${accid}`, wrong: (id) => `${id}，错误的 token`,
  accounts: { bound: '绑定的账号', other: '另一个账号', wrong_token: '错误的 token' },
  appServer: '应用服务器', createFor: '组件账号，绑定', create: '重新创建', fetchTokens: '获取新的 token',
  service: '服务端', reason: '原因', kick: '踢下线', linkDown: '断开连接', linkUp: '恢复连接',
  expireKit: '组件 token 过期', expireIM: 'IM token 过期',
  trouble: '制造故障', call: '调用', failure: '失败原因', fail: '下一次失败', hang: '挂起',
  release: (call) => `放行 ${call}`, hangs: (call) => `${call} 已挂起。`, willFail: (call, why) => `下一次 ${call} 将失败：${why}。`,
  running: (names) => `正在进行：${names}…`,
  device: (accid) => (accid ? `IM 客户端当前登录账号：${accid}。` : 'IM 客户端未登录。'),
  lastAct: '最近一次操作', noAct: '运行一个情景，或点击按钮。这里会显示结果，以及官方组件在同样情况下的结果。',
  named: (act, details) => `${act}：${details.join('，')}`, earlier: '之前的操作',
  outcomes: { done: '成功', failed: '失败', lost: '登录失效', nothing: '无需操作' },
  reused: '组件复用了应用的 IM 登录。', remedy: '处理办法',
  vendor: '同样的操作，官方组件的结果', platform: '平台', gives: '结果',
  verdicts: { success: '成功', no_number: '没有专门的错误码', absent: '不提供' },
  noPlatform: '各平台的组件都没有专门的错误码。',
  guide: (id) => `官方文档，${id}`, pages: { 'kits.md': '官方组件的行为', 'im-sdk.md': 'IM SDK 的行为' },
  differs: 'imreuse 的不同之处', webKit: 'Web 组件', here: 'imreuse',
  unreachable: '服务没有应答，是否已经退出？',
  link: { true: '恢复', false: '断开' }, token: { kit: '组件', im: 'IM' },
};

/** The texts in the page's language. */
export const texts = () => (language() === 'zh' ? zh : en);

/** A text of the server in the page's language. */
export const say = (text) => text[language()];
