package engine

import (
	"context"
	"errors"
)

// KeepKit logs the kit in as a, and again whenever that login is lost for
// a passing reason, and blocks until that is over.
func (e *Engine) KeepKit(ctx context.Context, a KitAccount) error {
	return &Error{Op: "KeepKit", State: e.state(), Err: errors.New("not built yet")}
}
