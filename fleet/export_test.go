package fleet

import "github.com/nats-io/nats.go/jetstream"

// Bucket is the bucket of the leases.
func (f *Fleet) Bucket() jetstream.KeyValue { return f.kv }

// OnTaken makes f call hook each time that an IM has taken a lease, before the IM
// records it.
func (f *Fleet) OnTaken(hook func()) { f.taken = hook }

const MaxRequests = maxRequests
