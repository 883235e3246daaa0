package nimhttptest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// guests limits the number of temporary accounts. Clients never delete one, so
// a server that runs for long would collect them.
type guests struct {
	most int

	mu  sync.Mutex // held during calls of the world, so that the limit is exact
	ids []string   // userUUIDs, oldest first
}

// add makes a guest. If that is one too many, it first removes the oldest guest
// that is not logged in. Its error is a *refusal.
func (g *guests) add(ctx context.Context, world *mockim.Service) (engine.KitAccount, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ids) >= g.most {
		gone := slices.IndexFunc(g.ids, world.RemoveKit)
		if gone < 0 {
			text := fmt.Sprintf("all %d temporary accounts are logged in", g.most)
			return engine.KitAccount{}, &refusal{http.StatusServiceUnavailable, http.StatusServiceUnavailable, text}
		}
		g.ids = slices.Delete(g.ids, gone, gone+1)
	}
	guest, err := world.Device().Anonymous(ctx)
	if err != nil {
		return engine.KitAccount{}, refusalOf(err)
	}
	g.ids = append(g.ids, guest.UserUUID)
	return guest, nil
}
