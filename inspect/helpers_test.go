package inspect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

// A world is an engine over mockim that an inspector watches, and its page.
type world struct {
	*testing.T
	cloud     *mockim.Service
	device    *mockim.Device
	kit       engine.KitAccount
	inspector *inspect.Inspector
	engine    *engine.Engine
	stop      func()
	server    *httptest.Server
}

func newWorld(t *testing.T, o engine.Options) *world {
	t.Helper()
	w := &world{T: t, cloud: mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}), inspector: inspect.New(o)}
	w.cloud.AddIM(appAccount)
	w.cloud.AddIM(otherAccount)
	w.kit = engine.KitAccount{UserUUID: "kit-of-alice", Token: "kit-s3cr3t"}
	w.cloud.Bind(w.kit, appAccount.Accid)
	w.device = w.cloud.Device()
	w.engine = w.open(w.device, w.inspector.Options())
	w.stop = w.inspector.Watch("chat", w.engine)
	t.Cleanup(w.stop)
	w.server = serve(t, w.inspector)
	return w
}

func serve(t *testing.T, i *inspect.Inspector) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(i.Handler())
	t.Cleanup(server.Close)
	return server
}

func (w *world) open(b engine.Backend, o *engine.Options) *engine.Engine {
	w.Helper()
	e, err := engine.New(b, "app1", o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { e.Close() })
	return e
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// loginKit brings the engine up to the kit, over the host's login in ReuseIM.
func (w *world) loginKit() {
	w.Helper()
	w.must(w.engine.InitIM(w.Context()))
	w.must(w.engine.LoginIM(w.Context(), appAccount))
	w.must(w.engine.LoginKit(w.Context(), w.kit))
}

// The JSON, as wire.go documents it: written down once more, so that a change of
// a name is noticed.

type statusJSON struct {
	Run     string       `json:"run"`
	Time    time.Time    `json:"time"`
	Last    uint64       `json:"last"`
	Engines []engineJSON `json:"engines"`
}

type engineJSON struct {
	Name   string         `json:"name"`
	Mode   string         `json:"mode"`
	Status map[string]any `json:"status"`
	Cause  *problemJSON   `json:"cause"`
	Owner  string         `json:"owner"`
	Since  *struct {
		IM  *time.Time `json:"im"`
		Kit *time.Time `json:"kit"`
	} `json:"since"`
	Calls []struct {
		Call string `json:"call"`
		Rung string `json:"rung"`
		Up   bool   `json:"up"`
	} `json:"calls"`
	Traced bool       `json:"traced"`
	Closed *time.Time `json:"closed"`
}

type entryJSON struct {
	ID       uint64       `json:"id"`
	Time     time.Time    `json:"time"`
	Engine   string       `json:"engine"`
	Kind     string       `json:"kind"`
	Seq      uint64       `json:"seq"`
	Trigger  string       `json:"trigger"`
	From     string       `json:"from"`
	To       string       `json:"to"`
	Session  string       `json:"session"`
	Accid    string       `json:"accid"`
	UserUUID string       `json:"userUuid"`
	After    *float64     `json:"after"`
	Op       string       `json:"op"`
	Call     string       `json:"call"`
	Took     *float64     `json:"took"`
	On       *bool        `json:"on"`
	Missed   uint64       `json:"missed"`
	Cause    *problemJSON `json:"cause"`
}

type problemJSON struct {
	Code    int               `json:"code"`
	Text    string            `json:"text"`
	Detail  string            `json:"detail"`
	Hidden  bool              `json:"hidden"`
	Remedy  map[string]string `json:"remedy"`
	Numbers map[string]int    `json:"numbers"`
	Kick    *struct {
		Reason int    `json:"reason"`
		Text   string `json:"text"`
	} `json:"kick"`
	Mismatch *struct {
		Bound    string `json:"bound"`
		LoggedIn string `json:"loggedIn"`
	} `json:"mismatch"`
}

func (w *world) status() statusJSON { return statusOf(w.T, w.server) }

func statusOf(t *testing.T, server *httptest.Server) statusJSON {
	t.Helper()
	reply, err := server.Client().Get(server.URL + "/status.json")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var s statusJSON
	if err := json.NewDecoder(reply.Body).Decode(&s); err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("status.json: %s and %v", reply.Status, err)
	}
	return s
}

// An event is one server-sent event.
type event struct {
	name, id, data string
}

func (e event) entry(t *testing.T) (entry entryJSON) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.data), &entry); err != nil {
		t.Fatalf("%v: %v", e, err)
	}
	return entry
}

// A feed is an open stream of events.
type feed struct {
	t      *testing.T
	events chan event
	cancel context.CancelFunc
}

// follow opens the stream, and resumes after lastID if it is not empty.
func follow(t *testing.T, server *httptest.Server, lastID string) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	reply, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind := reply.Header.Get("Content-Type"); reply.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("events: %s, %s", reply.Status, kind)
	}
	f := &feed{t: t, events: make(chan event, 2000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(f.events)
		defer reply.Body.Close()
		readEvents(reply.Body, f.events)
	}()
	f.cancel = func() { cancel(); <-ended }
	t.Cleanup(f.cancel)
	return f
}

func readEvents(body io.Reader, to chan<- event) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				to <- e
			}
			e = event{}
		}
	}
}

// next returns the next event with one of the names, and skips the others.
func (f *feed) next(names ...string) event {
	f.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-f.events:
			if !open {
				f.t.Fatalf("the stream ended while waiting for %v", names)
			}
			for _, name := range names {
				if e.name == name {
					return e
				}
			}
		case <-late:
			f.t.Fatalf("no %v", names)
		}
	}
}

// until returns the entries and gaps up to the first entry for which found is
// true.
func (f *feed) until(found func(entryJSON) bool) (entries []entryJSON, gaps []string) {
	f.t.Helper()
	for {
		e := f.next("entry", "gap")
		if e.name == "gap" {
			gaps = append(gaps, e.data)
			continue
		}
		entries = append(entries, e.entry(f.t))
		if found(entries[len(entries)-1]) {
			return entries, gaps
		}
	}
}

// story returns all entries that are kept.
func (w *world) story() []entryJSON {
	w.Helper()
	last := w.status().Last
	f := follow(w.T, w.server, "")
	defer f.cancel()
	entries, _ := f.until(func(e entryJSON) bool { return e.ID >= last })
	return entries
}

// eventually fails unless found becomes true.
func eventually(t *testing.T, what string, found func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !found() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
