package flat

import (
	"fmt"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/accounts"
)

// NewMock makes a cloud in memory with the accounts that the JSON has, in the
// form of the sandbox. An empty text means the accounts of the vendor's guides.
// It fails with engine.ErrArgument; the error names the line or the field, and
// never a token.
func NewMock(json string) (*mockim.Service, error) {
	if json == "" {
		return accounts.Guide(accounts.AppKey), nil
	}
	all, err := accounts.Parse([]byte(json))
	if err != nil {
		return nil, fmt.Errorf("%w: accounts: %w", engine.ErrArgument, err)
	}
	return all.World, nil
}
