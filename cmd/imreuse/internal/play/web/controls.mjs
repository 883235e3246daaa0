// The controls for each act. They are made once for each language, and never
// disabled: an act that makes no sense says so.
import { el } from '../el.mjs';
import { say, texts } from './texts.mjs';

const group = (title, hint, ...children) =>
  el('fieldset', {}, el('legend', {}, title, hint ? el('small', {}, hint) : ''), ...children);

const row = (...children) => el('div', { class: 'row' }, ...children);

const button = (label, onclick) => el('button', { type: 'button', onclick }, /^[A-Z]\w+[A-Z]\w*$/.test(label) ? el('code', {}, label) : label);

function select(label, options, tall = '') {
  const list = el('select', {}, options.map(([value, text]) => el('option', { value }, text)));
  return { list, field: el('label', { class: `field ${tall}` }, el('span', {}, label), list) };
}

/**
 * Makes the controls. perform carries out an act; show shows a panel in the
 * controls.
 */
export function makeControls(catalogue, perform) {
  const engine = engineControls(perform);
  const host = hostControls(perform);
  const kit = kitControls(perform);
  const trouble = troubleControls(catalogue, perform);
  return {
    children: [engine, host, imControls(perform), kit, serverControls(perform), serviceControls(catalogue, perform), trouble]
      .map((part) => part.element ?? part),
    show: (panel) => [engine, host, kit, trouble].forEach((part) => part.show(panel)),
  };
}

function engineControls(perform) {
  const t = texts();
  const modes = Object.entries(t.modes).map(([mode, about]) => {
    const radio = el('input', { type: 'radio', name: 'play-mode', value: mode, onchange: () => perform('setup', { mode }) });
    return { radio, label: el('label', { class: 'choice' }, radio, el('span', {}, el('code', {}, mode), el('small', {}, about))) };
  });
  const renewal = el('input', { type: 'checkbox', onchange: () => perform('setup', { renewal: renewal.checked }) });
  return {
    element: group(t.mode, '',
      modes.map(({ label }) => label),
      el('label', { class: 'choice' }, renewal, el('span', {}, t.renewal)),
      row(button(t.reset, () => perform('reset', {})))),
    show(panel) {
      for (const { radio } of modes) radio.checked = radio.value === panel.mode;
      renewal.checked = panel.renewal;
    },
  };
}

const imAccounts = () => [['alice', 'alice'], ['bob', 'bob'], ['wrong_token', texts().wrong('alice')]];

function hostControls(perform) {
  const t = texts();
  const account = select(t.imAccount, imAccounts());
  const device = el('p', { class: 'hint' });
  return {
    element: group(t.host, t.hostHint,
      account.field,
      row(
        button(t.hostInit, () => perform('host_init', {})),
        button(t.hostLogin, () => perform('host_login', { account: account.list.value })),
        button(t.hostLogout, () => perform('host_logout', {}))),
      device),
    show: (panel) => { device.textContent = t.device(panel.im); },
  };
}

function imControls(perform) {
  const t = texts();
  const account = select(t.imAccount, imAccounts());
  return group(t.im, '',
    account.field,
    row(
      button('InitIM', () => perform('init_im', {})),
      button('LoginIM', () => perform('login_im', { account: account.list.value })),
      button('LogoutIM', () => perform('logout_im', {}))));
}

function kitControls(perform) {
  const t = texts();
  const account = select(t.kitAccount, ['bound', 'other', 'wrong_token'].map((choice) => [choice, choice]), 'tall');
  return {
    element: group(t.kit, '',
      account.field,
      row(
        button('LoginKit', () => perform('login_kit', { account: account.list.value })),
        button('LoginAnonymous', () => perform('login_anonymous', {})),
        button('LogoutKit', () => perform('logout_kit', {})))),
    show({ kit: [bound, other] }) {
      const labels = [t.bound(short(bound.userUuid), bound.accid), t.bound(short(other.userUuid), other.accid), t.wrong(short(bound.userUuid))];
      labels.forEach((label, i) => { account.list.options[i].textContent = label; });
    },
  };
}

// A kit account that was created later has an id of 32 letters and digits.
const short = (userUuid) => (userUuid.length > 12 ? `${userUuid.slice(0, 8)}…` : userUuid);

function serverControls(perform) {
  const t = texts();
  const account = select(t.createFor, [['alice', 'alice'], ['bob', 'bob']]);
  return group(t.appServer, '',
    account.field,
    row(
      button(t.create, () => perform('create_kit_account', { account: account.list.value })),
      button(t.fetchTokens, () => perform('fetch_tokens', {}))));
}

function serviceControls(catalogue, perform) {
  const t = texts();
  const reason = select(t.reason, catalogue.kicks.map((kick) => [kick.reason, `${kick.reason}: ${say(kick.text)}`]), 'tall');
  return group(t.service, '',
    reason.field,
    row(
      button(t.kick, () => perform('kick', { reason: Number(reason.list.value) })),
      button(t.linkDown, () => perform('link', { up: false })),
      button(t.linkUp, () => perform('link', { up: true })),
      button(t.expireKit, () => perform('expire', { token: 'kit' })),
      button(t.expireIM, () => perform('expire', { token: 'im' }))));
}

function troubleControls(catalogue, perform) {
  const t = texts();
  const call = select(t.call, catalogue.calls.map((name) => [name, name]));
  call.list.value = 'LoginKit';
  const failure = select(t.failure, catalogue.failures.map(({ code, text }) => [code, say(text)]));
  const plans = el('ul', { class: 'plans' });
  return {
    element: group(t.trouble, '',
      el('div', { class: 'fields' }, call.field, failure.field),
      row(
        button(t.fail, () => perform('fail', { call: call.list.value, code: Number(failure.list.value) })),
        button(t.hang, () => perform('hang', { call: call.list.value }))),
      plans),
    show(panel) {
      const focused = plans.contains(document.activeElement);
      plans.replaceChildren(
        ...panel.hanging.map((hang) =>
          el('li', {}, t.hangs(hang.call), el('button', { type: 'button', onclick: () => perform('release', { id: hang.id }) }, t.release(hang.call)))),
        ...panel.failing.map(({ call: name, code }) =>
          el('li', {}, t.willFail(name, say(catalogue.failures.find((f) => f.code === code).text)))));
      // A release takes its own button away, but not the focus of the keyboard.
      if (focused) (plans.querySelector('button') ?? call.list).focus();
    },
  };
}
