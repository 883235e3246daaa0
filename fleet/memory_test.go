package fleet_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/fleet"
)

// A memory is a bucket of leases without a server. A test in a bubble of synctest
// needs one, because time stands still there while anybody waits for a network.
// It lets no lease run out, and takes each Purge to have the right revision.
type memory struct {
	jetstream.KeyValue

	mu       sync.Mutex
	values   map[string]memoryEntry
	revision uint64
}

type memoryEntry struct {
	jetstream.KeyValueEntry
	value    []byte
	revision uint64
}

func (e memoryEntry) Value() []byte    { return e.value }
func (e memoryEntry) Revision() uint64 { return e.revision }

// newMemoryFleet joins a fleet over a memory. The caller closes it in the bubble.
// log may be nil.
func newMemoryFleet(t testing.TB, log slog.Handler) (*fleet.Fleet, *memory) {
	t.Helper()
	kv := &memory{values: map[string]memoryEntry{}}
	o := fleet.Options{Bucket: bucket, Owner: "one", TTL: memoryTTL}
	if log != nil {
		o.Logger = slog.New(log)
	}
	f, err := fleet.New(t.Context(), memoryStream{kv: kv}, o)
	if err != nil {
		t.Fatal(err)
	}
	return f, kv
}

// empty removes all leases, as if somebody had emptied the bucket.
func (m *memory) empty() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.values)
}

func (m *memory) put(key string, value []byte) (uint64, error) {
	m.revision++
	m.values[key] = memoryEntry{value: value, revision: m.revision}
	return m.revision, nil
}

func (m *memory) Create(_ context.Context, key string, value []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[key]; ok {
		return 0, jetstream.ErrKeyExists
	}
	return m.put(key, value)
}

func (m *memory) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[key].revision != revision {
		return 0, jetstream.ErrKeyRevisionMismatch
	}
	return m.put(key, value)
}

func (m *memory) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.values[key]
	if !ok {
		return nil, jetstream.ErrKeyNotFound
	}
	return e, nil
}

func (m *memory) Purge(_ context.Context, key string, _ ...jetstream.KVDeleteOpt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) Bucket() string { return bucket }

func (m *memory) Status(context.Context) (jetstream.KeyValueStatus, error) {
	return memoryStatus{}, nil
}

const memoryTTL = 15 * time.Second

type memoryStatus struct{ jetstream.KeyValueStatus }

func (memoryStatus) TTL() time.Duration            { return memoryTTL }
func (memoryStatus) LimitMarkerTTL() time.Duration { return memoryTTL }

// A memoryStream is the JetStream of a memory. Its connection is down, so that
// nobody waits until a lease is given back.
type memoryStream struct {
	jetstream.JetStream
	kv *memory
}

func (s memoryStream) Conn() *nats.Conn { return new(nats.Conn) }

func (s memoryStream) KeyValue(context.Context, string) (jetstream.KeyValue, error) {
	return s.kv, nil
}

func (memoryStream) Stream(context.Context, string) (jetstream.Stream, error) {
	return memorySettings{}, nil
}

type memorySettings struct{ jetstream.Stream }

func (memorySettings) CachedInfo() *jetstream.StreamInfo { return new(jetstream.StreamInfo) }
