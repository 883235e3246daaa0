package inspect_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

func TestEventsResume(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	f := follow(t, w.server, "")
	if hello := f.next("hello", "gap", "entry", "engine"); hello.name != "hello" {
		t.Errorf("the stream begins with %+v", hello)
	}
	first := f.next("gap", "entry")
	if first.name != "entry" || first.id == "" || first.entry(t).Kind != "watch" {
		t.Errorf("got %+v, want the entry of the watch", first)
	}
	f.cancel()
	w.must(w.engine.InitIM(t.Context()))
	f = follow(t, w.server, first.id)
	missed, gaps := f.until(func(e entryJSON) bool { return e.Kind == "transition" })
	wantLines(t, missed, "call AdoptIM", "call InitIM", "init_im uninitialized im_initialized")
	if len(gaps) > 0 {
		t.Errorf("got gaps %q, want none", gaps)
	}
}

// What is not kept any more is a gap, with the number of entries.
func TestEventsShowAGap(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	f := follow(t, w.server, "")
	first := f.next("entry")
	f.cancel()
	for w.status().Last < 701 {
		w.must(w.engine.LoginKit(t.Context(), w.kit))
		w.must(w.engine.LogoutKit(t.Context()))
	}
	last := w.status().Last
	f = follow(t, w.server, first.id)
	entries, gaps := f.until(func(e entryJSON) bool { return e.ID == last })
	want := `{"reason":"dropped","missed":` + strconv.FormatUint(last-501, 10) + `}`
	if len(entries) != 500 || entries[0].ID != last-499 || len(gaps) != 1 || gaps[0] != want {
		t.Errorf("got %d entries from %d on, and gaps %q, want 500 and %s", len(entries), entries[0].ID, gaps, want)
	}
	f.cancel()
	f = follow(t, w.server, "") // a client that is new misses nothing
	if first := f.next("gap", "entry"); first.name != "entry" {
		t.Errorf("a new client: got %+v", first)
	}
}

// An id of an earlier run must not make a client skip entries of this one.
func TestEventsAfterARestart(t *testing.T) {
	w := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	w.must(w.engine.LoginKit(t.Context(), w.kit))
	old := follow(t, w.server, "")
	var lastID string
	for lastID == "" || !strings.HasSuffix(lastID, "-9") {
		lastID = old.next("entry").id
	}
	again := newWorld(t, engine.Options{Mode: engine.AutoLogin})
	again.must(again.engine.LoginKit(t.Context(), again.kit))
	run := again.status().Run
	for _, id := range []string{lastID, "9", "", run + "-", run + "-9999", run + "-x", "-1", "no number", run} {
		f := follow(t, again.server, id)
		entries, gaps := f.until(func(e entryJSON) bool { return e.To == "kit_logged_in" })
		wantGaps := 1
		if id == "" {
			wantGaps = 0
		}
		if len(entries) != 9 || len(gaps) != wantGaps || wantGaps == 1 && gaps[0] != `{"reason":"restart"}` {
			t.Errorf("after %q: got %d entries and gaps %q, want all 9, and a gap that says why", id, len(entries), gaps)
		}
		f.cancel()
	}
}

// A page that had to open a new stream gives the id in the query.
func TestEventsResumeByQuery(t *testing.T) {
	w := newWorld(t, engine.Options{})
	w.must(w.engine.InitIM(t.Context()))
	ctx := t.Context()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/events?after="+w.status().Run+"-3", nil)
	w.must(err)
	reply, err := w.server.Client().Do(r)
	w.must(err)
	events := make(chan event, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		readEvents(reply.Body, events)
	}()
	f := &feed{t: t, events: events}
	if e := f.next("entry", "gap"); e.name != "entry" || e.entry(t).ID != 4 {
		t.Errorf("got %+v, want entry 4", e)
	}
	reply.Body.Close()
	<-done
}

// Engines come, change and go.
func TestEventsFollowEngines(t *testing.T) {
	w := newWorld(t, engine.Options{})
	f := follow(t, w.server, "")
	engineOf := func(e event) (j engineJSON) {
		if err := json.Unmarshal([]byte(e.data), &j); err != nil {
			t.Fatal(err)
		}
		return j
	}
	if e := engineOf(f.next("engine")); e.Name != "chat" || e.Status["state"] != "uninitialized" {
		t.Errorf("got %+v", e)
	}
	w.must(w.engine.InitIM(t.Context()))
	for e := engineOf(f.next("engine")); e.Status["state"] != "im_initialized"; e = engineOf(f.next("engine")) {
	}
	w.stop()
	if gone := f.next("gone"); gone.data != `{"name":"chat"}` {
		t.Errorf("got %+v", gone)
	}
}

// A server whose writer cannot flush still answers: the client comes back for
// more.
func TestEventsWithoutFlush(t *testing.T) {
	i := inspect.New(engine.Options{})
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	r.Host = "localhost"
	w := &noFlush{header: http.Header{}}
	i.Handler().ServeHTTP(w, r)
	if !strings.Contains(w.String(), "event: hello") {
		t.Errorf("got %q", w.String())
	}
}

type noFlush struct {
	strings.Builder
	header http.Header
}

func (w *noFlush) Header() http.Header { return w.header }
func (w *noFlush) WriteHeader(int)     {}
