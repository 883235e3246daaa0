package gatewayprocess

import (
	"context"
	"time"
)

// UsualClose returns the longest time that Close may take.
func UsualClose() time.Duration {
	return usualLimits.logout + usualLimits.term + usualLimits.kill
}

// StartWithin is like Start, with other limits for the end of the gateway.
func StartWithin(ctx context.Context, o Options, logout, term time.Duration) (*Process, error) {
	l := usualLimits
	l.logout, l.term = logout, term
	return start(ctx, o, l)
}
