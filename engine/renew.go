package engine

import (
	"context"
	"errors"
)

// RenewKit gives the kit session that is open a new token, without a logout: it
// is NERoom's renewToken. An empty a.Token asks Options.KitToken. If it fails,
// the session goes on with the token that it had.
//
// Errors: ErrState where the kit is not logged in; ErrKitInUse where it is
// logged in as another account, or anonymously; errors.ErrUnsupported where the
// backend is no KitRenewer; ErrInterrupted by a logout or Close; the cause of
// the loss, where the login is lost meanwhile; and what the backend or KitToken
// fails with.
func (e *Engine) RenewKit(ctx context.Context, a KitAccount) error {
	return &Error{Op: "RenewKit", State: e.state(), Err: errors.New("not built yet")}
}
