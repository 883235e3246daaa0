package gatewayprocess

import (
	"context"
	"time"
)

// UsualClose is how long Close takes at most.
func UsualClose() time.Duration {
	return usualLimits.logout + usualLimits.term + usualLimits.kill
}

// StartWithin is Start with other limits for the end.
func StartWithin(ctx context.Context, o Options, logout, term time.Duration) (*Process, error) {
	l := usualLimits
	l.logout, l.term = logout, term
	return start(ctx, o, l)
}
