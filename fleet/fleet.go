// Package fleet lets several processes share the accounts of one app, with each
// account logged in to IM in at most one of them. Without it, two processes with
// the same account kick each other in turn, forever.
//
// Before an engine logs IM in, its process takes the lease of the account from a
// NATS JetStream key-value bucket. Give each engine an IM of the fleet:
//
//	f, err := fleet.New(ctx, js, fleet.Options{})
//	e, err := engine.New(engine.Join(f.IM(im), kit), appKey, nil)
//
// If another process holds the lease, the login fails with engine.ErrIMInUse.
// Wait waits until it is free:
//
//	err := e.KeepKit(ctx, account)
//	if errors.Is(err, engine.ErrIMInUse) {
//		err = f.Wait(ctx, accid)
//	}
//
// The holder renews its lease at a third of Options.TTL. If it cannot, the fleet
// logs IM out before the lease runs out, and tells the engine. So a holder that
// has lost its NATS servers is logged out by the time the next one logs in. The
// holder measures the TTL on its own monotonic clock, from before its request.
//
// The README of this folder has the set-up for one machine and for three, and the
// cases that a lease cannot protect from.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/engine"
)

const (
	defaultBucket = "imreuse"
	defaultTTL    = 15 * time.Second
	minTTL        = 2 * time.Second

	// stepTimeout bounds each step that no caller's ctx bounds, as the engine
	// bounds its own steps down.
	stepTimeout = 5 * time.Second

	// maxRequests is enough for 5,000 requests per second if each takes 50 ms.
	maxRequests = 256
)

// Options configure a Fleet. The zero value is ready to use.
type Options struct {
	// Bucket is the key-value bucket of the leases; the default is "imreuse".
	// An accid is unique only within one app, so give each AppKey a bucket of
	// its own.
	Bucket string

	// Owner names this process to the others. The default is the host name and
	// a UUID.
	Owner string

	// TTL is how long a lease lasts after its last renewal: at least 2 seconds;
	// the default is 15. All processes of a bucket must have the same TTL. A
	// killed process keeps its accounts that long, and an outage of NATS that
	// is shorter than about a third of it ends no login.
	TTL time.Duration

	// Logger gets a Warn line for each lease that cannot be renewed or given
	// back, and an Error line if a call of an engine.IM then hangs. If it is
	// nil, nothing is logged.
	Logger *slog.Logger
}

// A Fleet is one process's part in sharing the accounts. Make one with New. It is
// safe for concurrent use. It runs one goroutine for each lease that it holds,
// and one while anybody waits.
type Fleet struct {
	js    jetstream.JetStream
	kv    jetstream.KeyValue
	owner string
	ttl   time.Duration
	log   *slog.Logger

	ctx  context.Context // ends when Close begins
	stop context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	failed error          // the first failure of a logout of the fleet's own, which Close returns
	work   sync.WaitGroup // the goroutines; only begin, or one of them, may Add

	// slots has one slot for each request about a lease that may be on its way.
	// Without a limit, thousands of renewals that are due together time out, and
	// the next tries come on top of them.
	slots chan struct{}

	watch *watch

	// taken, if a test sets it, runs when an IM has taken a lease, but has not
	// recorded it yet.
	taken func()
}

// New joins the fleet whose leases are in a bucket of js. If the bucket is
// missing, New makes it, with a copy on three servers if js is connected to
// a cluster. New waits until NATS has answered: it tries again until ctx ends, but
// for 30 seconds at most.
//
// New fails with engine.ErrArgument if an option is wrong, or if the bucket has
// another TTL or keeps no markers of leases that ran out, and with
// engine.ErrUnavailable if NATS does not answer. The Fleet uses js until Close,
// and never closes its connection.
func New(ctx context.Context, js jetstream.JetStream, o Options) (*Fleet, error) {
	bucket := cmp.Or(o.Bucket, defaultBucket)
	ttl := cmp.Or(o.TTL, defaultTTL)
	owner := o.Owner
	if owner == "" {
		owner = defaultOwner()
	}
	switch {
	case js == nil:
		return nil, fmt.Errorf("%w: the JetStream is nil", engine.ErrArgument)
	case ttl < minTTL:
		return nil, fmt.Errorf("%w: the TTL is %v, at least %v are needed", engine.ErrArgument, ttl, minTTL)
	}
	if err := checkText("owner", owner); err != nil {
		return nil, err
	}
	kv, err := openBucket(ctx, js, bucket, ttl)
	if err != nil {
		return nil, err
	}
	f := &Fleet{js: js, kv: kv, owner: owner, ttl: ttl, log: o.Logger, watch: newWatch(), slots: make(chan struct{}, maxRequests)}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.ctx, f.stop = context.WithCancelCause(context.Background())
	return f, nil
}

func defaultOwner() string {
	host, err := os.Hostname()
	if err != nil || checkText("host name", host) != nil {
		host = "host"
	}
	return host + "-" + uuid.NewString()
}

// Holder returns the owner of the lease of accid, or "" if nobody holds it. It
// fails with engine.ErrArgument for an empty accid, with engine.ErrUnavailable if
// NATS does not answer, and with engine.ErrClosed after Close.
func (f *Fleet) Holder(ctx context.Context, accid string) (owner string, err error) {
	key, err := keyOf(accid)
	if err != nil {
		return "", err
	}
	if f.ctx.Err() != nil {
		return "", context.Cause(f.ctx)
	}
	r, _, err := f.read(ctx, key)
	if err != nil {
		return "", unavailable(ctx, "reading the lease of "+accid, err)
	}
	return r.Owner, nil
}

// Close leaves the fleet: it logs out every account that an engine logged in
// through it, and gives the leases back. A login that the host made stays logged
// in. The engines report engine.ErrIMLoggedOut. Afterwards InitIM, LoginIM and
// AdoptIM of every IM, and Wait and Holder, fail with engine.ErrClosed.
//
// Close returns the first failure of a logout. If NATS is away, it takes 5
// seconds, and the leases run out by themselves. If a call of an engine.IM hangs,
// it returns context.DeadlineExceeded after 10. A second Close returns nil.
func (f *Fleet) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.mu.Unlock()
	f.stop(engine.ErrClosed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.work.Wait()
	}()
	select {
	case <-done:
	case <-time.After(2 * stepTimeout):
		return context.DeadlineExceeded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// begin counts a goroutine that Close has to wait for, unless f is closed. The
// goroutine calls f.work.Done.
func (f *Fleet) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return engine.ErrClosed
	}
	f.work.Add(1)
	return nil
}

// takeSlot waits until another request may be sent, or ctx ends. The caller gives
// the slot back once the answer is there.
func (f *Fleet) takeSlot(ctx context.Context) (give func(), err error) {
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// noteFailure keeps the first error that Close returns.
func (f *Fleet) noteFailure(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// unavailable returns the error of a call of NATS: the cause of ctx if that has
// ended, and engine.ErrUnavailable otherwise.
func unavailable(ctx context.Context, doing string, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, engine.ErrUnavailable):
		return err
	}
	return fmt.Errorf("%w: %s: %w", engine.ErrUnavailable, doing, err)
}
