// What the page says, in English and in Chinese.

const english = {
  skip: 'Skip to the story',
  language: 'Language', engines: 'Engines', ladder: 'Ladder', now: 'Now', story: 'Story',
  connecting: 'Connecting …', live: 'Live', reconnecting: 'Connection lost, trying again …',
  pause: 'Pause', resume: 'Resume', resumeNew: (n) => `Resume (${n} new)`, download: 'Download NDJSON',
  filter: 'Filter', show: 'Show',
  'kinds.transition': 'Transitions', 'kinds.call': 'Calls', 'kinds.failure': 'Failures', 'kinds.other': 'Other',
  empty: 'Nothing has happened yet.', nothingFound: 'No entry matches the filter.',
  entries: 'Entries, newest first',
  count: (shown, all) => (shown === all ? `${all} entries` : `${shown} of ${all} entries`),
  noEngine: 'No engine is watched. The program shows one with Inspector.Watch.',

  'state.uninitialized': 'Nothing is set up', 'state.im_initialized': 'IM is initialised',
  'state.im_logged_in': 'IM is logged in', 'state.kit_logged_in': 'The kit is logged in',
  floor: 'floor: a kit logout stops here',
  ladderText: (state, floor, call) => `State: ${state}. Floor: ${floor}.${call ? ` In progress: ${call}.` : ''}`,
  climbing: (call) => `${call} …`,

  mode: 'Mode', im: 'IM account', login: 'Over whose login', kit: 'Kit account', link: 'IM link', token: 'Kit token', cause: 'Last cause',
  inProgress: 'In progress',
  'mode.auto_detect': 'reuses your app’s IM login if there is one, otherwise the engine logs IM in',
  'mode.reuse_im': 'your app logs IM in, the kit reuses that login',
  'mode.auto_login': 'the engine logs IM in for the kit',
  modeUnknown: 'not known: the engine was not made with the inspector’s options',
  nobody: 'nobody', 'owner.host': 'your app’s, so a kit logout leaves it alone', 'owner.engine': 'the engine’s own, so a kit logout ends it',
  reused: 'reused', anonymous: 'guest',
  up: 'up', down: 'down, the SDK reconnects', good: 'good', expired: 'expired, a new one is being fetched', none: '–',
  since: (time, ago) => `since ${time} (${ago})`, sinceBefore: 'since before the watch began',
  closed: 'closed', closedAt: (time) => `This engine was closed at ${time}.`,
  notTraced: 'This engine was not made with the inspector’s options, so its calls and failures are not shown.',

  'trigger.init_im': 'IM initialised', 'trigger.login_im': 'IM logged in', 'trigger.login_kit': 'Kit logged in',
  'trigger.logout_kit': 'Kit logged out', 'trigger.logout_im': 'IM logged out', 'trigger.kit_lost': 'Kit login lost',
  'trigger.im_lost': 'IM login lost', 'trigger.close': 'Engine closed',
  after: (span) => `${span} after the last transition`, took: (span) => `took ${span}`,
  calls: 'call', callFailed: 'failed', failed: (op) => `${op} failed`, inCall: (call) => `in ${call}`,
  linkUp: 'IM link up again', linkDown: 'IM link down', tokenGood: 'Kit token renewed', tokenExpired: 'Kit token expired',
  watchBegan: 'Watch began', engineClosed: 'Engine closed',
  skipped: (n) => `${n} changes came too fast to be recorded`,
  'gap.dropped': (n) => `${n} entries are missing here: they came faster than this page could read, or while it was away`,
  'gap.restart': 'The program was restarted. Entries may be missing here, and the ones below are from the run before.',

  noCode: 'The error has no code.', remedy: 'Remedy', numbers: 'Numbers', code: 'Code',
  hidden: 'There is more, which is not shown because it could contain a token. See your log.',
  mismatch: (bound, loggedIn) => `The kit account is bound to ${bound}, but ${loggedIn} is logged in.`,
  kick: (who, client) => `It was kicked ${who}${client ? ` (client type ${client})` : ''}.`,
  'kick.1': 'by a login on another device', 'kick.2': 'by the server', 'kick.3': 'by another device', 'kick.4': 'by a new login on the same device',
  details: 'Remedy and numbers',
  saidState: (engine, state) => `${engine}: ${state}`, saidFailure: (op, text) => `${op} failed: ${text}`,
  s: 's', min: 'min', h: 'h', d: 'd',
};

const chinese = {
  skip: '跳到事件记录',
  language: '语言', engines: '引擎', ladder: '状态阶梯', now: '当前', story: '事件记录',
  connecting: '正在连接…', live: '实时', reconnecting: '连接中断，正在重连…',
  pause: '暂停', resume: '继续', resumeNew: (n) => `继续（${n} 条新事件）`, download: '下载 NDJSON',
  filter: '筛选', show: '显示',
  'kinds.transition': '状态变化', 'kinds.call': '调用', 'kinds.failure': '失败', 'kinds.other': '其他',
  empty: '还没有事件。', nothingFound: '没有符合筛选条件的事件。',
  entries: '事件，最新的在最前',
  count: (shown, all) => (shown === all ? `共 ${all} 条` : `显示 ${shown} / ${all} 条`),
  noEngine: '没有正在观察的引擎。程序可调用 Inspector.Watch 添加。',

  'state.uninitialized': '未初始化', 'state.im_initialized': 'IM 已初始化',
  'state.im_logged_in': 'IM 已登录', 'state.kit_logged_in': '组件已登录',
  floor: '底线：组件登出退到此处为止',
  ladderText: (state, floor, call) => `状态：${state}。底线：${floor}。${call ? `进行中：${call}。` : ''}`,
  climbing: (call) => `${call} …`,

  mode: '模式', im: 'IM 账号', login: 'IM 由谁登录', kit: '组件账号', link: 'IM 连接', token: '组件 token', cause: '最近的原因',
  inProgress: '进行中',
  'mode.auto_detect': '应用已登录 IM 则复用，否则由引擎登录 IM',
  'mode.reuse_im': 'IM 由应用登录，组件复用该登录',
  'mode.auto_login': '由引擎为组件登录 IM',
  modeUnknown: '未知：该引擎没有使用 Inspector 的 Options',
  nobody: '无', 'owner.host': '应用；组件登出后 IM 保持登录', 'owner.engine': '引擎；组件登出时一并登出 IM',
  reused: '复用', anonymous: '匿名',
  up: '正常', down: '已断开，SDK 正在重连', good: '有效', expired: '已过期，正在获取新的 token', none: '–',
  since: (time, ago) => `${time} 起（${ago}）`, sinceBefore: '早于开始观察的时间',
  closed: '已关闭', closedAt: (time) => `该引擎已于 ${time} 关闭。`,
  notTraced: '该引擎没有使用 Inspector 的 Options，因此不显示调用和失败。',

  'trigger.init_im': 'IM 初始化', 'trigger.login_im': 'IM 登录', 'trigger.login_kit': '组件登录',
  'trigger.logout_kit': '组件登出', 'trigger.logout_im': 'IM 登出', 'trigger.kit_lost': '组件登录失效',
  'trigger.im_lost': 'IM 登录失效', 'trigger.close': '引擎关闭',
  after: (span) => `距上次状态变化 ${span}`, took: (span) => `耗时 ${span}`,
  calls: '调用', callFailed: '失败', failed: (op) => `${op} 失败`, inCall: (call) => `发生在 ${call}`,
  linkUp: 'IM 连接恢复', linkDown: 'IM 连接断开', tokenGood: '组件 token 已更新', tokenExpired: '组件 token 已过期',
  watchBegan: '开始观察', engineClosed: '引擎已关闭',
  skipped: (n) => `有 ${n} 次变化过快，未能记录`,
  'gap.dropped': (n) => `此处缺少 ${n} 条事件：产生得太快，或页面当时未连接`,
  'gap.restart': '程序已重启。此处可能缺少事件，以下是上次运行的记录。',

  noCode: '该错误没有错误码。', remedy: '处理办法', numbers: '各端错误码', code: '错误码',
  hidden: '还有更多说明，因可能含有 token 而不显示，请查看日志。',
  mismatch: (bound, loggedIn) => `组件账号绑定的是 ${bound}，当前登录的是 ${loggedIn}。`,
  kick: (who, client) => `${who}${client ? `（客户端类型 ${client}）` : ''}。`,
  'kick.1': '被另一台设备的登录踢下线', 'kick.2': '被服务端踢下线', 'kick.3': '被另一台设备踢下线', 'kick.4': '被同一台设备的新登录踢下线',
  details: '处理办法和各端错误码',
  saidState: (engine, state) => `${engine}：${state}`, saidFailure: (op, text) => `${op} 失败：${text}`,
  s: '秒', min: '分钟', h: '小时', d: '天',
};

// The sentences of the codes in Chinese. The engine has them in English only.
const sentences = {
  100004: '已开启 IM 复用，但 IM 未登录',
  100005: '当前登录的 IM 账号不是组件账号绑定的账号',
  112001: 'IM 复用不支持匿名入会',
  '-20001': '引擎已关闭',
  '-20002': '缺少前置步骤',
  '-20003': '参数错误',
  '-20004': 'IM 已经登录',
  '-20005': '组件已用其他账号登录',
  '-20006': 'IM 与组件的 AppKey 不一致',
  '-20007': '服务端不接受该账号和 token',
  '-20008': 'token 已过期',
  '-20009': '账号已被禁用',
  '-20010': '组件账号没有绑定 IM 账号',
  '-20011': '该 AppKey 未开通 NERoom 组件',
  '-20012': 'IM 被踢下线',
  '-20013': 'IM 在引擎之外被登出',
  '-20014': '服务无法访问，或应答异常',
  '-20015': '登录被登出或 Close 中止',
  '-20016': 'IM 只能在主进程中使用',
};

/** The vendor's kits, in the order in which their numbers are shown. */
export const profiles = [
  ['meeting', 'NEMeetingKit'],
  ['room', 'NERoom'],
  ['desktop', 'NEMeetingKit C++'],
  ['roomkit1', 'RoomKit 1.x'],
  ['meeting1', 'Meeting SDK 1.x'],
];

const languages = { en: english, zh: chinese };
const remembered = 'imreuse.language';
let current = 'en';
const listeners = [];

/** What the page says for a key; a function if the text has a gap to fill. */
export const t = (key, ...values) => {
  const text = languages[current][key] ?? key;
  return typeof text === 'function' ? text(...values) : text;
};

export const language = () => current;

/** Calls listener after each switch of the language. */
export const onLanguage = (listener) => listeners.push(listener);

/** The sentence of a problem. */
export function sentence(problem) {
  const own = current === 'zh' ? sentences[problem.code] : problem.text;
  return own ?? (problem.text || t('noCode'));
}

export const remedy = (problem) => problem.remedy?.[current] ?? problem.remedy?.en;

export function setLanguage(wanted) {
  current = languages[wanted] ? wanted : 'en';
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === current));
  }
  for (const listener of listeners) listener();
}

/** Takes the language that the reader chose last, or else the browser's. */
export function startLanguage() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(remembered);
  } catch { /* a browser may forbid it */ }
  const browsers = navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => languages[tag]);
  for (const button of document.querySelectorAll('[data-language]')) {
    button.addEventListener('click', () => {
      try {
        localStorage.setItem(remembered, button.dataset.language);
      } catch { /* then only until the page is closed */ }
      setLanguage(button.dataset.language);
    });
  }
  setLanguage(chosen ?? browsers ?? 'en');
}

/** A span of time in milliseconds, as short as a reader wants it. */
export function span(ms) {
  const unit = (value, name) => `${value} ${t(name)}`;
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return unit(seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds), 's');
  if (seconds < 3600) return unit(Math.floor(seconds / 60), 'min');
  if (seconds < 86400) return unit(Math.floor(seconds / 3600), 'h');
  return unit(Math.floor(seconds / 86400), 'd');
}

const two = (n) => String(n).padStart(2, '0');

/** The time of day in the browser's zone, with the date if it is another day. */
export function clock(text, fraction = false) {
  const time = new Date(text);
  if (Number.isNaN(time.valueOf())) return '';
  const day = time.toDateString() === new Date().toDateString() ? '' : `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} `;
  const ms = fraction ? `.${String(time.getMilliseconds()).padStart(3, '0')}` : '';
  return `${day}${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}${ms}`;
}
