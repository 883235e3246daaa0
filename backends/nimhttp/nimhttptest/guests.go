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

// guests bounds the temporary accounts. Nobody deletes one, so a server that
// runs for long would collect them.
type guests struct {
	most int

	mu  sync.Mutex // held across calls of the world, so that the bound is exact
	ids []string   // userUUIDs, the oldest first
}

// add makes a guest, and removes an older one if there is one too many. It
// fails with a *refusal.
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
