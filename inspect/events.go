package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// This file streams the story. Each stream reads the story at its own pace and
// keeps nothing but the number of the last entry that it sent, so a slow client
// costs no memory and slows nobody down.

const (
	maxStreams = 64
	batch      = 100                   // entries per write
	pace       = 50 * time.Millisecond // between two writes at least, so that changes come together
	heartbeat  = 15 * time.Second
	writeLimit = 30 * time.Second
)

// A stream is one request for events.
type stream struct {
	changed chan struct{} // has one slot
	cancel  context.CancelFunc
	server  *http.Server

	last    uint64            // the number of the last entry that was sent
	version uint64            // of the inspector, when engines were last sent
	shown   map[string]uint64 // the engines that the client knows, with their versions
}

func (s *stream) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (i *Inspector) serveEvents(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{changed: make(chan struct{}, 1), cancel: cancel, shown: map[string]uint64{}}
	s.server, _ = ctx.Value(http.ServerContextKey).(*http.Server)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	if !i.open(s) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	defer i.close(s)
	var first bytes.Buffer
	resume := r.Header.Get("Last-Event-ID")
	if resume == "" {
		resume = r.URL.Query().Get("after") // a page that had to open a new stream
	}
	i.greet(&first, s, resume)
	first.Write(i.next(s))
	c := http.NewResponseController(w)
	for text := first.Bytes(); ; {
		_ = c.SetWriteDeadline(time.Now().Add(writeLimit)) // the server's own limit is for whole replies
		if _, err := w.Write(text); err != nil {
			return
		}
		if err := c.Flush(); err != nil || !s.wait(ctx) {
			return
		}
		text = i.next(s)
	}
}

// wait waits until there may be something to send, or for the time of a
// heartbeat. It returns false when the stream must end.
func (s *stream) wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pace):
	}
	select {
	case <-ctx.Done():
		return false
	case <-s.changed:
	case <-time.After(heartbeat):
	}
	return true
}

func (i *Inspector) open(s *stream) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.streams) >= maxStreams {
		return false
	}
	i.streams[s] = struct{}{}
	if _, known := i.servers[s.server]; !known && s.server != nil {
		i.servers[s.server] = struct{}{}
		server := s.server
		server.RegisterOnShutdown(func() { i.closeStreamsOf(server) })
	}
	return true
}

// closeStreamsOf lets a server shut down, which waits for its requests.
func (i *Inspector) closeStreamsOf(server *http.Server) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.servers, server)
	for s := range i.streams {
		if s.server == server {
			s.cancel()
		}
	}
}

func (i *Inspector) close(s *stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.streams, s)
}

// greet writes the start of a stream that resumes after lastID.
func (i *Inspector) greet(b *bytes.Buffer, s *stream, lastID string) {
	i.mu.Lock()
	run, last := i.story.run, i.story.last
	i.mu.Unlock()
	b.WriteString("retry: 1000\n")
	writeEvent(b, "hello", "", hello{Run: run, Time: time.Now(), Keep: maxEntries})
	if lastID != "" {
		of, number, _ := strings.Cut(lastID, "-")
		n, err := strconv.ParseUint(number, 10, 64)
		if of == run && err == nil && n <= last {
			s.last = n
		} else {
			writeEvent(b, "gap", "", gap{Reason: "restart"})
		}
	} else { // what is not kept any more is no gap for a client that is new
		i.mu.Lock()
		s.last = i.story.first() - 1
		i.mu.Unlock()
	}
}

// next returns the events that s has not sent yet.
func (i *Inspector) next(s *stream) []byte {
	i.mu.Lock()
	run := i.story.run
	entries, missed := i.story.after(s.last, batch)
	var engines []engineJSON
	var goneOnes []string
	if s.version != i.version {
		engines, goneOnes = i.changesLocked(s)
	}
	if len(entries) > 0 && entries[len(entries)-1].id < i.story.last {
		s.wake() // there are more
	}
	i.mu.Unlock()

	var b bytes.Buffer
	if missed > 0 {
		writeEvent(&b, "gap", "", gap{Reason: "dropped", Missed: missed})
	}
	for _, e := range entries {
		writeEvent(&b, "entry", fmt.Sprintf("%s-%d", run, e.id), e.json())
		s.last = e.id
	}
	for _, name := range goneOnes {
		writeEvent(&b, "gone", "", gone{name})
	}
	for _, e := range engines {
		writeEvent(&b, "engine", "", e)
	}
	if b.Len() == 0 {
		b.WriteString(": still here\n\n")
	}
	return b.Bytes()
}

// changesLocked returns the engines that changed since s last sent them, and the
// names of those that are not shown any more.
func (i *Inspector) changesLocked(s *stream) (changed []engineJSON, goneOnes []string) {
	now := make(map[string]uint64, len(i.engines))
	for _, w := range i.engines {
		now[w.name] = w.version
		if s.shown[w.name] != w.version {
			changed = append(changed, w.jsonLocked())
		}
	}
	for name := range s.shown {
		if _, ok := now[name]; !ok {
			goneOnes = append(goneOnes, name)
		}
	}
	s.shown, s.version = now, i.version
	return changed, goneOnes
}

// writeEvent writes one event. JSON has no line breaks, so the data is one line.
func writeEvent(b *bytes.Buffer, name, id string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		return // cannot happen: the data is numbers, text and times
	}
	if id != "" {
		fmt.Fprintf(b, "id: %s\n", id)
	}
	fmt.Fprintf(b, "event: %s\ndata: %s\n\n", name, text)
}
