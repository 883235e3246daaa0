package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/imreuse/imreuse/engine"
)

// This file has the bucket: its settings, and the form of its keys and values.

const (
	openTimeout = 30 * time.Second // a cluster may have yet to elect a leader
	openTry     = 2 * time.Second  // a request that arrives before that has no answer
	openPause   = 200 * time.Millisecond
	replicas    = 3
)

// openBucket opens the bucket, and makes it if it is missing.
func openBucket(ctx context.Context, js jetstream.JetStream, name string, ttl time.Duration) (jetstream.KeyValue, error) {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for {
		kv, err := tryBucket(limited, js, name, ttl)
		if err == nil {
			return kv, checkBucket(limited, kv, ttl)
		}
		if refused := refusal(name, err); refused != nil {
			return nil, refused
		}
		select {
		case <-time.After(openPause):
		case <-limited.Done():
			return nil, unavailable(ctx, "opening the bucket "+name, err)
		}
	}
}

func tryBucket(ctx context.Context, js jetstream.JetStream, name string, ttl time.Duration) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, openTry)
	defer cancel()
	kv, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = createBucket(ctx, js, name, ttl)
	}
	if err != nil {
		return nil, err
	}
	return readFromLeader(ctx, js, kv)
}

func createBucket(ctx context.Context, js jetstream.JetStream, name string, ttl time.Duration) (jetstream.KeyValue, error) {
	copies := 1
	if js.Conn().ConnectedClusterName() != "" {
		copies = replicas
	}
	return js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:         name,
		Description:    "imreuse: which process may log in which IM account",
		TTL:            ttl,
		LimitMarkerTTL: markerTTL(ttl),
		Replicas:       copies,
	})
}

// readFromLeader makes the bucket's leader answer all reads. By default any server
// does, and for a moment one that is behind still shows a lease that was given
// back.
func readFromLeader(ctx context.Context, js jetstream.JetStream, kv jetstream.KeyValue) (jetstream.KeyValue, error) {
	stream, err := js.Stream(ctx, streamOf(kv.Bucket()))
	if err != nil {
		return nil, err
	}
	config := stream.CachedInfo().Config
	if !config.AllowDirect {
		return kv, nil
	}
	config.AllowDirect = false
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return nil, err
	}
	return js.KeyValue(ctx, kv.Bucket()) // the old one remembers the setting
}

// streamOf is the name that NATS gives the stream of a bucket.
func streamOf(bucket string) string { return "KV_" + bucket }

// markerTTL is how long a marker remains of a lease that ran out. NATS counts
// whole seconds.
func markerTTL(ttl time.Duration) time.Duration {
	return (ttl + time.Second - 1).Truncate(time.Second)
}

// refusal returns the error for a failure that another try cannot help; nil:
// try again.
func refusal(name string, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrInvalidBucketName):
		return fmt.Errorf("%w: the bucket name %q: %w", engine.ErrArgument, name, err)
	case errors.Is(err, jetstream.ErrLimitMarkerTTLNotSupported):
		return fmt.Errorf("the NATS server is older than 2.11, and cannot tell that a lease ran out: %w", err)
	}
	return nil
}

// checkBucket refuses a bucket in which a lease would last for another time than
// its holder counts on.
func checkBucket(ctx context.Context, kv jetstream.KeyValue, ttl time.Duration) error {
	status, err := kv.Status(ctx)
	switch {
	case err != nil:
		return unavailable(ctx, "reading the settings of the bucket "+kv.Bucket(), err)
	case status.TTL() != ttl:
		return fmt.Errorf("%w: the bucket %s has a TTL of %v, not %v: give all processes the same TTL, or another bucket",
			engine.ErrArgument, kv.Bucket(), status.TTL(), ttl)
	case status.LimitMarkerTTL() == 0:
		return fmt.Errorf("%w: the bucket %s keeps no markers of leases that ran out: set its LimitMarkerTTL",
			engine.ErrArgument, kv.Bucket())
	}
	return nil
}

// keyOf returns the key of an account's lease. A key may have fewer characters
// than an accid, so keyOf writes the others in hex: =40 for @.
func keyOf(accid string) (string, error) {
	if err := checkText("accid", accid); err != nil {
		return "", err
	}
	var key strings.Builder
	for _, b := range []byte(strings.ToLower(accid)) {
		if 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '_' || b == '-' {
			key.WriteByte(b)
		} else {
			fmt.Fprintf(&key, "=%02x", b)
		}
	}
	return key.String(), nil
}

// maxText is longer than any accid, and than any useful name of an owner.
const maxText = 256

func checkText(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: %s is empty", engine.ErrArgument, what)
	case len(s) > maxText:
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", engine.ErrArgument, what, len(s), maxText)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%w: %s contains a control character or is not UTF-8", engine.ErrArgument, what)
	}
	return nil
}

// A record is the value of a key.
type record struct {
	Owner string `json:"owner"`
	Lease string `json:"lease"` // unique for each time that a lease is taken
}

func (r record) value() []byte {
	v, err := json.Marshal(r)
	if err != nil {
		panic(err) // two strings
	}
	return v
}

// read returns the record of a key and its revision. If nobody holds the lease,
// the record is zero.
func (f *Fleet) read(ctx context.Context, key string) (record, uint64, error) {
	entry, err := f.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record{}, 0, nil
	}
	if err != nil {
		return record{}, 0, err
	}
	var r record
	if json.Unmarshal(entry.Value(), &r) != nil || r.Owner == "" {
		r = record{Owner: "something that is no fleet"} // somebody has put a value there by hand
	}
	return r, entry.Revision(), nil
}

// isConflict reports whether NATS refused a write because the key has another
// revision than the writer thought.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) ||
		errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
			api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
