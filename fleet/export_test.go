package fleet

import "github.com/nats-io/nats.go/jetstream"

// Bucket is the bucket of the leases.
func (f *Fleet) Bucket() jetstream.KeyValue { return f.kv }

const MaxRequests = maxRequests
