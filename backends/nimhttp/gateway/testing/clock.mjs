// A clock that a test moves by hand. node:test has one only since Node 20.4,
// and its interface changed in 20.11 and 21.2.

export function fakeClock(t) {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const timers = new Set(); // in the order in which they were set
  let now = 0;
  globalThis.setTimeout = (run, ms = 0, ...args) => {
    const timer = { at: now + Math.max(1, ms), run: () => run(...args), unref() {} };
    timers.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => timers.delete(timer);
  t.after(() => Object.assign(globalThis, real));

  const next = () => [...timers].reduce((first, timer) => (first && first.at <= timer.at ? first : timer), null);

  return {
    // tick lets ms milliseconds pass and runs the timers that fall due, in
    // order.
    tick(ms) {
      const end = now + ms;
      for (let timer = next(); timer && timer.at <= end; timer = next()) {
        timers.delete(timer);
        now = timer.at;
        timer.run();
      }
      now = end;
    },
  };
}
