// Reads the stream of events. The file wire.go of package inspect says what is
// in it.

const again = 2000; // ms until the next try, if the browser has given up

/**
 * Follows events and calls handler.hello, .gap, .entry, .engine and .gone with
 * the data of each, and handler.state with "live" or "reconnecting". The browser
 * connects again by itself, and resumes with Last-Event-ID. It gives up if a
 * proxy answers with an error while the program restarts; then this function
 * tries again, with the same id in the query.
 */
export function follow(handler) {
  let last = '';
  const connect = () => {
    const source = new EventSource(last ? `events?after=${encodeURIComponent(last)}` : 'events');
    const on = (name) =>
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handler[name](JSON.parse(event.data));
      });
    ['hello', 'gap', 'entry', 'engine', 'gone'].forEach(on);
    source.addEventListener('open', () => handler.state('live'));
    source.addEventListener('error', () => {
      handler.state('reconnecting');
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, again);
    });
  };
  connect();
}
